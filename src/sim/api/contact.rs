//! People: ids by email and phone, and what is known of them.

use serde_json::{Map, Value, json};

use super::{Call, Refusal, Reply, Spec, page, page_body, refuse};
use crate::sim::{
    people::{self, IdType},
    world::World,
};

const BASE: &[&str] = &[
    "contact:contact.base:readonly",
    "contact:contact:access_as_app",
    "contact:contact:readonly",
    "contact:contact:readonly_as_app",
];
const DEPARTMENT: &[&str] = &[
    "contact:contact.base:readonly",
    "contact:department.organize:readonly",
    "contact:contact:access_as_app",
    "contact:contact:readonly",
    "contact:contact:readonly_as_app",
];
const EMPLOYEE: &[&str] = &["contact:user.employee:readonly"];

pub(super) const SPECS: &[Spec] = &[
    Spec::new(
        "contact.batch_get_id",
        "POST",
        "contact/v3/users/batch_get_id",
        &["contact:user.id:readonly"],
        batch_get_id,
    )
    .exempt(),
    Spec::new("contact.users.batch", "GET", "contact/v3/users/batch", BASE, batch).exempt(),
    Spec::new(
        "contact.users.find_by_department",
        "GET",
        "contact/v3/users/find_by_department",
        DEPARTMENT,
        list,
    )
    .exempt(),
    Spec::new("contact.users.get", "GET", "contact/v3/users/:user_id", BASE, get).exempt(),
    Spec::new("contact.scopes", "GET", "contact/v3/scopes", BASE, range).exempt(),
];

fn status(person: &people::Person) -> Value {
    json!({
        "is_frozen": person.is_frozen, "is_resigned": person.is_resigned, "is_activated": !person.is_resigned,
        "is_exited": person.is_resigned, "is_unjoin": false,
    })
}

fn batch_get_id(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let id_type = call.id_type("user_id_type")?;
    let (emails, mobiles) = (call.texts("emails"), call.texts("mobiles"));
    for (name, list) in [("emails", &emails), ("mobiles", &mobiles)] {
        if list.len() > 50 {
            return Err(Refusal::field(name, "", "the max len is 50"));
        }
    }
    if emails.is_empty() && mobiles.is_empty() {
        return Err(refuse(40_001));
    }
    let with_resigned = call.body.get("include_resigned").and_then(Value::as_bool).unwrap_or(false);
    let with_status = world.grants(call.app, EMPLOYEE);
    let entry = |key: &str, sent: &str, found: Option<usize>| {
        let mut entry = Map::new();
        let person = found.and_then(|no| world.people.get(no).map(|person| (no, person)));
        if let Some((no, person)) = person
            && !person.is_out_of_range
            && (with_resigned || !person.is_resigned)
        {
            entry.insert("user_id".to_owned(), json!(world.person_id(call.app, no, id_type)));
            if with_status {
                entry.insert("status".to_owned(), status(person));
            }
        }
        entry.insert(key.to_owned(), json!(sent));
        Value::Object(entry)
    };
    let emails = emails.into_iter().map(|email| entry("email", email, world.people.by_email(email)));
    let mobiles = mobiles.into_iter().map(|mobile| entry("mobile", mobile, world.people.by_mobile(mobile)));
    Ok(Reply::Data(json!({"user_list": emails.chain(mobiles).collect::<Vec<_>>()})))
}

impl World {
    /// The user object, with the fields that the app's scopes show.
    pub(in crate::sim) fn user_object(&self, app: usize, no: usize) -> Option<Value> {
        let person = self.people.get(no)?;
        let mut user = Map::new();
        let mut put = |scope: &str, key: &str, value: Value| {
            if scope.is_empty() || self.grants(app, &[scope]) {
                user.insert(key.to_owned(), value);
            }
        };
        put("", "union_id", json!(people::union_id(no)));
        put("", "open_id", json!(self.person_id(app, no, IdType::Open)));
        let base = "contact:user.base:readonly";
        put(base, "name", json!(person.name));
        put(base, "en_name", json!(person.en_name));
        put(base, "nickname", json!(""));
        let face = "https://s1.example/static/face.png";
        let sizes = ["avatar_72", "avatar_240", "avatar_640", "avatar_origin"];
        put(
            base,
            "avatar",
            sizes.iter().map(|size| ((*size).to_owned(), json!(face))).collect::<Map<_, _>>().into(),
        );
        put("contact:user.employee_id:readonly", "user_id", json!(people::user_id(no)));
        put("contact:user.email:readonly", "email", json!(person.email.as_deref().unwrap_or_default()));
        put("contact:user.phone:readonly", "mobile", json!(person.mobile.as_deref().unwrap_or_default()));
        put("contact:user.phone:readonly", "mobile_visible", json!(true));
        put("contact:user.gender:readonly", "gender", json!(0));
        put("contact:user.department:readonly", "department_ids", json!(["od-0001"]));
        let employee = "contact:user.employee:readonly";
        put(employee, "status", status(person));
        put(employee, "employee_no", json!(no.to_string()));
        put(employee, "employee_type", json!(1));
        put(employee, "job_title", json!(""));
        let mailbox = person.enterprise_email.as_deref().unwrap_or_default();
        put(employee, "enterprise_email", json!(mailbox));
        Some(Value::Object(user))
    }

    /// The person of an id in a contact call, or the refusal that fits.
    fn contact(&self, call: &Call, id: &str, id_type: IdType) -> Result<usize, Refusal> {
        if let Some(no) = self.person_by_id(call.app, id, id_type) {
            let is_hidden = self.people.get(no).is_none_or(|person| person.is_out_of_range);
            return if is_hidden { Err(refuse(41_050)) } else { Ok(no) };
        }
        if id_type == IdType::Open && self.is_open_id_of_another_app(call.app, id) {
            return Err(refuse(99_992_361));
        }
        Err(if id.starts_with("ou_") { refuse(99_992_351) } else { refuse(41_012) })
    }
}

fn get(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let id_type = call.id_type("user_id_type")?;
    let no = world.contact(call, call.param(0), id_type)?;
    Ok(Reply::Data(json!({"user": world.user_object(call.app, no)})))
}

fn batch(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let id_type = call.id_type("user_id_type")?;
    let ids: Vec<&str> = call.query_all("user_ids").collect();
    if ids.is_empty() || ids.len() > 50 {
        return Err(refuse(40_001));
    }
    let mut items = Vec::new();
    for id in ids {
        match world.contact(call, id, id_type) {
            Ok(no) => items.extend(world.user_object(call.app, no)),
            Err(refusal) if refusal.code == 99_992_361 => return Err(refusal),
            // Unknown and invisible people are left out.
            Err(_) => {}
        }
    }
    Ok(Reply::Data(json!({"items": items})))
}

fn list(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    if !matches!(call.query("department_id"), "0" | "od-0001") {
        return Err(refuse(40_004));
    }
    let size = call.page_size(10, 50).map_err(|_| refuse(40_011))?;
    let seen: Vec<usize> = (0..world.people.len())
        .filter(|no| world.people.get(*no).is_some_and(|it| !it.is_out_of_range && !it.is_resigned))
        .collect();
    let (places, next) = page(&seen, call.query("page_token"), size, 40_012)?;
    let items = places.into_iter().filter_map(|at| world.user_object(call.app, *seen.get(at)?)).collect();
    Ok(Reply::Data(page_body(items, next)))
}

fn range(world: &mut World, _call: &Call) -> Result<Reply, Refusal> {
    let is_whole = world.people.iter().all(|person| !person.is_out_of_range);
    let departments = if is_whole { vec!["od-0001", "od-0002"] } else { vec!["od-0001"] };
    Ok(Reply::Data(json!({
        "department_ids": departments, "user_ids": [], "group_ids": [], "has_more": false, "page_token": "",
    })))
}
