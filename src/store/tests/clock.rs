//! Hosts whose clocks differ.

use std::time::Duration;

use super::{
    super::{Ingested, NewOutgoing},
    *,
};

/// What one host has stored another judges, by a clock that both have: hours between their own change nothing. On a
/// file both are one host, whose clock is right.
async fn what_is_stored_is_judged_by_one_clock(bed: Bed) {
    const HOURS: i64 = 3 * 3_600_000;
    let (early, late) = (Hand::new(), Hand::new());
    if !bed.is_file() {
        early.forward(-HOURS);
        late.forward(HOURS);
    }
    let ann = bed.open_with("ann", early.clone()).await.unwrap();
    let ring = KeyRing::load(KeySource::File(bed.path().join("key")), Some(&bed.url)).unwrap();
    let far = Holder { host: "bastion-2".to_owned(), ..holder("far") };
    let options = StoreOptions { url: bed.url.clone(), create: false, me: far, name: None };
    let far_away = Store::open(options, ring, late.clone()).await.unwrap();
    let id = integration(&ann).await;
    let event = |name: &str| IngestItem {
        integration: id.clone(),
        event_id: Some(name.to_owned()),
        via: Via::Webhook,
        what: Incoming::Seen,
    };
    for (one, other) in [(&ann, &far_away), (&far_away, &ann)] {
        let name = one.me().user.as_str();
        // A message of a process that lives elsewhere is its own to send, for an hour.
        let outgoing = NewOutgoing {
            uuid: name.to_owned(),
            integration: id.clone(),
            chat_id: chat(1),
            reply_to: None,
            in_thread: false,
            text: "x".to_owned(),
            author: name.to_owned(),
        };
        one.queue_outgoing(outgoing).await.unwrap();
        assert_eq!(other.orphan_outgoing().await.unwrap(), []);
        // An event that was seen stays known.
        one.ingest(vec![event(name)]).await.unwrap();
        let hour_ago = other.now().await.unwrap().minus(Duration::from_secs(3600));
        assert_eq!(other.prune_events(hour_ago).await.unwrap(), 0);
        assert_eq!(other.prune_log(hour_ago).await.unwrap(), 0);
        assert_eq!(other.ingest(vec![event(name)]).await.unwrap(), [Ingested::Duplicate]);
    }
    // And after that hour it is nobody's, whoever asks.
    for clock in [&early, &late] {
        if bed.is_file() {
            clock.forward(3_700_000);
        }
    }
    if !bed.is_file() {
        pass(&ann, &early, 3_700_000).await;
    }
    let mut lost: Vec<String> =
        ann.orphan_outgoing().await.unwrap().into_iter().map(|row| row.outgoing.uuid).collect();
    lost.sort();
    assert_eq!(lost, ["ann", "far"]);
    let hour_ago = far_away.now().await.unwrap().minus(Duration::from_secs(3600));
    assert_eq!(far_away.prune_events(hour_ago).await.unwrap(), 2);
}

on_each_engine!(what_is_stored_is_judged_by_one_clock);
