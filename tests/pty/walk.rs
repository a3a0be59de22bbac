//! From "integration added" to "linked by login", seen live in a console that was open before all of it.

use serde_json::json;

use super::{
    common::{Home, Sim, browser::Browser, serve::Gateway},
    terminal::{PATIENCE, Start},
    wait_empty,
};

#[test]
fn an_open_console_shows_a_person_become_linked_by_signing_in() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    let mut console = Start::within(&home, &["--lang", "en"]).start();
    wait_empty(&mut console);

    home.add(&sim);
    console.wait("the integration", |terminal| {
        terminal.row(0).starts_with(" ops  Feishu")
            && terminal.text().contains("INTEGRATIONS 1")
            && terminal.text().contains(&sim.app_id)
    });
    let roster = home.write("roster.csv", &sim.people());
    home.run(&["member", "import", roster.to_str().unwrap()]).expect(0);
    let people = sim.people().lines().count() - 1;
    console.type_keys("2");
    console.wait_text(&format!("All {people}   Linked 0   Unlinked {people}"));
    console.type_keys("/王伟");
    console.wait("the member, unlinked", |terminal| {
        let text = terminal.text();
        text.contains("1 of 1") && text.contains("王伟") && text.contains("not tried yet")
    });
    console.type_keys("\r");

    let gateway = Gateway::start(&home, &[]);
    sim.order("redirect", &json!({"urls": [gateway.url("redirect_url")]}));
    let mut browser = Browser::default();
    let page = browser.sign_in(&gateway.url("web_config_url"), "王伟");
    assert!(page.status == 200 && page.body.contains("You are linked"), "{page:?}");

    console.wait("the member, linked", |terminal| {
        let text = terminal.text();
        text.contains("Linked 1 ") && text.contains("✓ login") && text.contains("· login")
    });
    console.type_keys("5");
    console.wait("the row of the log", |terminal| {
        terminal.text().lines().any(|line| {
            line.contains("✓ done")
                && line.contains("member.link")
                && line.contains("王伟")
                && line.contains("by signing in")
        })
    });
    // Later visits are silent: no question, and no other row.
    let page = browser.visit(&gateway.url("web_config_url"));
    assert!(page.status == 200 && page.body.contains("You are linked"), "{page:?}");
    let rows = home.run(&["member", "list", "--search", "王伟", "--json"]).expect(0).objects();
    assert_eq!((&rows[0]["status"], &rows[0]["origin"]), (&json!("linked"), &json!("login")));
    console.type_keys("q");
    assert_eq!(console.end(PATIENCE), 0);
    console.assert_restored();
    assert_eq!(gateway.running.end("TERM"), Some(0));
}
