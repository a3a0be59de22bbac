//! The form of an integration: five fields, each with its own validation (R18).

use tui_input::Input;

use super::Turn;
use crate::{
    app::{
        busy::Topic,
        effect::{Ask, IntegrationDraft},
        key::{Key, KeyCode},
        model::{Field, Form, FormField, Level, Model, Overlay},
    },
    core::{
        error::Fault,
        ids::{AppId, IntegrationId},
        integration::{ImKind, Receive},
        lang::{Phrase, phrase},
    },
};

const MODES: [Receive; 3] = [Receive::LongConnection, Receive::Webhook, Receive::Both];

impl Field {
    /// All of them, in the order of the screen.
    pub const ALL: [Self; 9] = [
        Self::Kind,
        Self::Name,
        Self::AppId,
        Self::AppSecret,
        Self::VerificationToken,
        Self::EncryptKey,
        Self::Receive,
        Self::Check,
        Self::Save,
    ];

    /// What it is called. The platform's own words where it has them.
    pub const fn label(self) -> Phrase {
        match self {
            Self::Kind => phrase("Platform", "平台"),
            Self::Name => phrase("Name", "名称"),
            Self::AppId => phrase("App ID", "App ID"),
            Self::AppSecret => phrase("App Secret", "App Secret"),
            Self::VerificationToken => phrase("Verification Token", "Verification Token"),
            Self::EncryptKey => phrase("Encrypt Key", "Encrypt Key"),
            Self::Receive => phrase("Receive events by", "接收事件方式"),
            Self::Check => phrase("Check with the platform first", "保存前先向平台验证"),
            Self::Save => phrase("Save", "保存"),
        }
    }
}

impl Form {
    /// Whether the platform that is chosen is spoken here, so that it has an app.
    pub const fn is_spoken(&self) -> bool {
        self.kind.base_url().is_some()
    }

    /// Whether the form shows this place.
    pub const fn has(&self, field: Field) -> bool {
        match field {
            Field::Kind | Field::Name | Field::Save => true,
            _ => self.is_spoken(),
        }
    }

    /// The text field of that place.
    pub fn field(&self, field: Field) -> Option<&FormField> {
        self.fields.iter().find(|row| row.field == field)
    }

    fn value(&self, field: Field) -> &str {
        self.field(field).map_or("", |row| row.input.value().trim())
    }
}

fn row(field: Field, value: &str, is_secret: bool, is_kept: bool) -> FormField {
    FormField { field, input: Input::new(value.to_owned()), is_secret, is_kept, error: None, warning: None }
}

impl Turn<'_> {
    pub(super) fn open_form(&mut self, edit: Option<IntegrationId>) {
        let item = edit.as_ref().and_then(|id| self.m.integrations.get(id));
        let row_data = item.map(|item| &item.row.integration);
        let app = row_data.and_then(|integration| integration.app.as_ref());
        let form = Form {
            kind: row_data.map_or(ImKind::Feishu, |integration| integration.kind),
            receive: row_data.map_or(Receive::default(), |integration| integration.receive),
            fields: [
                row(Field::Name, row_data.map_or("", |integration| &integration.name), false, false),
                row(Field::AppId, app.map_or("", |app| app.app_id().as_str()), false, false),
                row(Field::AppSecret, "", true, app.is_some()),
                row(
                    Field::VerificationToken,
                    "",
                    true,
                    app.is_some_and(|app| app.verification_token_masked.is_some()),
                ),
                row(Field::EncryptKey, "", true, app.is_some_and(|app| app.encrypt_key_masked.is_some())),
            ],
            focus: Field::Name,
            fault: None,
            is_saving: false,
            check: true,
            edit: item.map(|item| item.id().clone()),
        };
        self.m.overlays.push(Overlay::Form(Box::new(form)));
    }

    /// The next place; the one that is left is judged.
    pub(super) fn move_field(&mut self, by: i64) {
        let Some(Overlay::Form(form)) = self.m.overlays.last() else { return };
        if form.is_saving {
            return;
        }
        let left = form.focus;
        let places: Vec<Field> = Field::ALL.into_iter().filter(|field| form.has(*field)).collect();
        let at = places.iter().position(|field| *field == left).unwrap_or(0);
        let count = i64::try_from(places.len()).unwrap_or(1);
        let next = (i64::try_from(at).unwrap_or(0) + by).rem_euclid(count);
        let verdict = judge(self.m, form, left);
        let Some(Overlay::Form(form)) = self.m.overlays.last_mut() else { return };
        set_verdict(form, left, verdict);
        if let Some(field) = usize::try_from(next).ok().and_then(|next| places.get(next)) {
            form.focus = *field;
        }
    }

    pub(super) fn type_in_form(&mut self, key: Key) {
        let Some(Overlay::Form(form)) = self.m.overlays.last_mut() else { return };
        if form.is_saving {
            return;
        }
        let by = match (key.code, key.typed()) {
            (KeyCode::Left, _) | (_, Some('h')) => -1,
            (KeyCode::Right, _) | (_, Some(' ' | 'l')) => 1,
            _ => 0,
        };
        match form.focus {
            Field::Kind => form.kind = turn(&ImKind::ALL, form.kind, by),
            Field::Receive => form.receive = turn(&MODES, form.receive, by),
            Field::Check if by != 0 => form.check = !form.check,
            Field::Check | Field::Save => {}
            focus => {
                if let Some(row) = form.fields.iter_mut().find(|row| row.field == focus)
                    && crate::app::compose::edit_field(&mut row.input, key)
                {
                    row.error = None;
                }
            }
        }
    }

    pub(super) fn save_form(&mut self) {
        let Some(Overlay::Form(form)) = self.m.overlays.last() else { return };
        if form.is_saving {
            return;
        }
        let verdicts: Vec<(Field, Verdict)> =
            Field::ALL.into_iter().map(|field| (field, judge(self.m, form, field))).collect();
        let edit = form.edit.clone();
        let check = form.check;
        let Some(Overlay::Form(form)) = self.m.overlays.last_mut() else { return };
        form.fault = None;
        let bad = verdicts.iter().find(|(_, verdict)| verdict.error.is_some()).map(|(field, _)| *field);
        for (field, verdict) in verdicts {
            set_verdict(form, field, verdict);
        }
        if let Some(field) = bad {
            form.focus = field;
            return;
        }
        let draft = draft(form);
        form.is_saving = true;
        let check = check && form.is_spoken();
        if self.ask(Topic::Save, Ask::SaveIntegration { edit, draft, check }).is_none() {
            self.with_form(|form| form.is_saving = false);
        }
    }

    fn with_form(&mut self, act: impl FnOnce(&mut Form)) -> bool {
        let form = self.m.overlays.iter_mut().find_map(|overlay| match overlay {
            Overlay::Form(form) => Some(form),
            _ => None,
        });
        match form {
            Some(form) => {
                act(form);
                true
            }
            None => false,
        }
    }

    pub(super) fn integration_saved(&mut self, id: IntegrationId) {
        self.m.overlays.retain(|overlay| !matches!(overlay, Overlay::Form(_)));
        self.m.integrations.selected = Some(id.clone());
        if self.m.active.is_none() {
            self.m.wanted = Some(id);
        }
        self.m.busy.want_now(Topic::Integrations);
        self.toast(Level::Ok, SAVED);
    }

    /// The platform or the store refused: said in the form, with everything typed still there.
    pub(super) fn save_failed(&mut self, fault: Box<Fault>) {
        let shown = fault.clone();
        let is_open = self.with_form(|form| {
            form.is_saving = false;
            form.fault = Some(shown);
        });
        if is_open {
            self.m.last_fault = Some(fault);
        } else {
            self.show_fault(fault);
        }
    }
}

fn draft(form: &Form) -> IntegrationDraft {
    let spoken = form.is_spoken();
    let secret = |field| form.field(field).filter(|_| spoken).and_then(FormField::secret);
    IntegrationDraft {
        name: form.value(Field::Name).to_owned(),
        kind: form.kind,
        app_id: if spoken { form.value(Field::AppId).to_owned() } else { String::new() },
        app_secret: secret(Field::AppSecret),
        verification_token: secret(Field::VerificationToken),
        encrypt_key: secret(Field::EncryptKey),
        receive: form.receive,
    }
}

fn turn<T: Copy + PartialEq>(all: &[T], now: T, by: i64) -> T {
    let at = all.iter().position(|item| *item == now).unwrap_or(0);
    let count = i64::try_from(all.len()).unwrap_or(1).max(1);
    let next = (i64::try_from(at).unwrap_or(0) + by).rem_euclid(count);
    usize::try_from(next).ok().and_then(|next| all.get(next)).copied().unwrap_or(now)
}

#[derive(Default)]
struct Verdict {
    error: Option<Phrase>,
    warning: Option<Phrase>,
}

fn set_verdict(form: &mut Form, field: Field, verdict: Verdict) {
    if let Some(row) = form.fields.iter_mut().find(|row| row.field == field) {
        row.error = verdict.error;
        row.warning = verdict.warning;
    }
}

/// What is wrong with one field.
fn judge(model: &Model, form: &Form, field: Field) -> Verdict {
    let error = |phrase| Verdict { error: Some(phrase), warning: None };
    let value = form.value(field);
    let is_kept = form.field(field).is_some_and(|row| row.is_kept);
    if !form.has(field) {
        return Verdict::default();
    }
    match field {
        Field::Name => {
            let taken = model
                .integrations
                .items
                .iter()
                .any(|item| Some(item.id()) != form.edit.as_ref() && item.row.integration.name == value);
            match value {
                "" => error(NAME_EMPTY),
                _ if value.chars().count() > 64 => error(NAME_LONG),
                _ if taken => error(NAME_TAKEN),
                _ => Verdict::default(),
            }
        }
        Field::AppId if value.is_empty() => error(APP_ID_EMPTY),
        Field::AppId if value.parse::<AppId>().is_err() => error(APP_ID_BAD),
        Field::AppSecret if value.is_empty() && !is_kept => error(SECRET_EMPTY),
        Field::AppSecret | Field::VerificationToken | Field::EncryptKey
            if value.contains(|c: char| c.is_whitespace() || !c.is_ascii()) =>
        {
            error(SECRET_BAD)
        }
        Field::VerificationToken if value.is_empty() && !is_kept => {
            Verdict { error: None, warning: Some(TOKEN_EMPTY) }
        }
        Field::EncryptKey if value.is_empty() && !is_kept => {
            Verdict { error: None, warning: Some(KEY_EMPTY) }
        }
        _ => Verdict::default(),
    }
}

const SAVED: Phrase = phrase("Saved.", "已保存。");
const NAME_EMPTY: Phrase = phrase("a name is needed", "请填写名称");
const NAME_LONG: Phrase = phrase("64 characters at most", "最多 64 个字符");
const NAME_TAKEN: Phrase = phrase("another integration has this name", "名称已被其他集成使用");
const APP_ID_EMPTY: Phrase =
    phrase("needed: Credentials & Basic Info → App ID", "必填：凭证与基础信息 → App ID");
const APP_ID_BAD: Phrase = phrase("an App ID begins with cli_", "App ID 以 cli_ 开头");
const SECRET_EMPTY: Phrase =
    phrase("needed: Credentials & Basic Info → App Secret", "必填：凭证与基础信息 → App Secret");
const SECRET_BAD: Phrase =
    phrase("no spaces and no other than ASCII characters", "不能含空格或非 ASCII 字符");
const TOKEN_EMPTY: Phrase =
    phrase("empty: requests to the URL cannot be told from forged ones", "留空：无法识别伪造的回调请求");
const KEY_EMPTY: Phrase = phrase(
    "empty: events come unencrypted and unsigned; recommended for better security",
    "留空：事件将不加密、不签名；建议填写以提高安全性",
);
