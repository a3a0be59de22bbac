//! Who has signed in.

use serde_json::{Map, Value, json};

use super::{Call, Refusal, Reply, Spec, refuse};
use crate::sim::{
    people::{self, IdType},
    world::World,
};

pub(super) const SPECS: &[Spec] =
    &[Spec::new("authen.user_info", "GET", "authen/v1/user_info", &[], user_info).by_user()];

fn user_info(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let token = call.user.as_ref().ok_or_else(|| refuse(20_005))?;
    let person = world.people.get(token.person).ok_or_else(|| refuse(20_008))?;
    if person.is_resigned {
        return Err(refuse(20_021));
    }
    if person.is_frozen {
        return Err(refuse(20_022));
    }
    let mut data = Map::new();
    let mut put = |scope: &str, key: &str, value: Value| {
        if scope.is_empty() || token.scopes.contains(scope) {
            data.insert(key.to_owned(), value);
        }
    };
    put("", "name", json!(person.name));
    put("", "en_name", json!(person.en_name));
    for size in ["avatar_url", "avatar_thumb", "avatar_middle", "avatar_big"] {
        put("", size, json!("https://s1.example/static/face.png"));
    }
    put("", "open_id", json!(world.person_id(token.app, token.person, IdType::Open)));
    put("", "union_id", json!(people::union_id(token.person)));
    let email = "contact:user.email:readonly";
    put(email, "email", json!(person.email.as_deref().unwrap_or_default()));
    put(email, "enterprise_email", json!(person.enterprise_email.as_deref().unwrap_or_default()));
    let employee = "contact:user.employee_id:readonly";
    put(employee, "user_id", json!(people::user_id(token.person)));
    put("contact:user.phone:readonly", "mobile", json!(person.mobile.as_deref().unwrap_or_default()));
    put("", "tenant_key", json!(person.tenant_key.as_deref().unwrap_or_else(|| world.tenant())));
    put(employee, "employee_no", json!(token.person.to_string()));
    Ok(Reply::Data(Value::Object(data)))
}
