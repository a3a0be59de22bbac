//! `larkdeck press`: what happens if this person presses this? (G16)

use serde_json::json;

use super::{error::CliError, room::resolve, serve_args::PressArgs, setup::Context};
use crate::core::lang::Lang;

pub(super) async fn run(context: &mut Context, args: &PressArgs) -> Result<(), CliError> {
    let (deck, view) = context.integration(None).await?;
    let integration = view.integration.id;
    let member = deck.resolve_member(&args.member).await?;
    let room = match &args.room {
        Some(room) => Some(resolve(&deck, &integration, room).await?),
        None => None,
    };
    let chat = room.as_ref().map(|room| &room.chat_id);
    let preview = deck.preview_press(&integration, &member, chat, &args.action).await?;
    let (lang, out) = (context.setup.loaded.lang, &mut context.out);
    let verdict = &preview.verdict;
    if out.is_json() {
        return out.object(&json!({
            "member": { "id": preview.member, "name": preview.name },
            "chat_id": chat,
            "action": args.action,
            "verdict": verdict.code(),
            "acts": verdict.is_good(),
            "toast": { "en": verdict.text(Lang::En), "zh": verdict.text(Lang::Zh) },
        }));
    }
    out.line(&format!("{}: {}", preview.name, verdict.code()))?;
    out.line(&format!("  {}", verdict.text(lang)))
}
