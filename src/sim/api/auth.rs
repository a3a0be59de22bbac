//! App tokens.

use serde_json::json;

use super::{Call, Refusal, Reply, Spec, refuse};
use crate::sim::world::World;

pub(super) const SPECS: &[Spec] = &[
    Spec::new("auth.tenant_access_token", "POST", "auth/v3/tenant_access_token/internal", &[], tenant).open(),
    Spec::new("auth.app_access_token", "POST", "auth/v3/app_access_token/internal", &[], app).open(),
];

impl World {
    /// The app with these credentials.
    pub(in crate::sim) fn app_by_secret(&self, app_id: &str, secret: &str) -> Result<usize, Refusal> {
        let known = self.apps.iter().position(|app| app.is_callable && app.plan.app_id == app_id);
        let Some(no) = known else { return Err(refuse(10_014)) };
        let is_right = self.apps.get(no).is_some_and(|app| app.plan.app_secret == secret);
        if is_right { Ok(no) } else { Err(refuse(10_015)) }
    }
}

fn give(world: &mut World, call: &Call) -> Result<(String, u64), Refusal> {
    let (id, secret) = (call.text("app_id"), call.text("app_secret"));
    if id.is_empty() || secret.is_empty() {
        return Err(refuse(10_003));
    }
    let app = world.app_by_secret(id, secret)?;
    Ok(world.token(app))
}

fn tenant(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let (token, expire) = give(world, call)?;
    Ok(Reply::Flat(json!({"tenant_access_token": token, "expire": expire})))
}

fn app(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let (token, expire) = give(world, call)?;
    Ok(Reply::Flat(json!({"app_access_token": token, "tenant_access_token": token, "expire": expire})))
}
