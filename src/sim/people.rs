//! The people of the tenant, their ids, and how they are found.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::dice::mix;

/// Someone with an account.
#[derive(Debug, Clone, Default)]
pub(super) struct Person {
    /// Full name, in the own script.
    pub(super) name: String,
    /// Name in Latin letters.
    pub(super) en_name: String,
    /// Contact email.
    pub(super) email: Option<String>,
    /// E.164.
    pub(super) mobile: Option<String>,
    /// Mailbox of the company; no lookup finds it.
    pub(super) enterprise_email: Option<String>,
    /// Has left.
    pub(super) is_resigned: bool,
    /// Account frozen.
    pub(super) is_frozen: bool,
    /// Outside the app's contact range.
    pub(super) is_out_of_range: bool,
    /// Cannot see the app: the bot cannot write to this person.
    pub(super) is_blind: bool,
    /// tenant_key of another tenant.
    pub(super) tenant_key: Option<String>,
}

/// All of them, by number.
#[derive(Debug, Clone, Default)]
pub(super) struct People {
    list: Vec<Person>,
    by_email: HashMap<String, usize>,
    by_mobile: HashMap<String, usize>,
}

/// Which kind of id a call speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum IdType {
    /// One per app.
    #[default]
    Open,
    /// One per developer.
    Union,
    /// One per tenant.
    User,
}

impl IdType {
    /// Reads `user_id_type` or `member_id_type`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "open_id" | "" => Some(Self::Open),
            "union_id" => Some(Self::Union),
            "user_id" => Some(Self::User),
            _ => None,
        }
    }

    /// As answers write it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open_id",
            Self::Union => "union_id",
            Self::User => "user_id",
        }
    }
}

/// The names that the dialogues use: always the first people of the tenant.
pub(super) const CAST: [(&str, &str); 24] = [
    ("王伟", "Wang Wei"),
    ("李娜", "Li Na"),
    ("Ann Lee", "Ann Lee"),
    ("Ben Okafor", "Ben Okafor"),
    ("张敏", "Zhang Min"),
    ("刘洋", "Liu Yang"),
    ("Priya Nair", "Priya Nair"),
    ("Tomás García", "Tomas Garcia"),
    ("陈静", "Chen Jing"),
    ("赵磊", "Zhao Lei"),
    ("Sofia Rossi", "Sofia Rossi"),
    ("Kenji Sato", "Kenji Sato"),
    ("周婷", "Zhou Ting"),
    ("吴昊", "Wu Hao"),
    ("Maya Cohen", "Maya Cohen"),
    ("Oleksandr Bondar", "Oleksandr Bondar"),
    ("孙丽", "Sun Li"),
    ("徐强", "Xu Qiang"),
    ("Grace Kim", "Grace Kim"),
    ("Lucas Meyer", "Lucas Meyer"),
    ("高峰", "Gao Feng"),
    ("林雪", "Lin Xue"),
    ("Noor Haddad", "Noor Haddad"),
    ("Erik Lindqvist", "Erik Lindqvist"),
];

const SURNAMES: [(&str, &str); 20] = [
    ("王", "Wang"),
    ("李", "Li"),
    ("张", "Zhang"),
    ("刘", "Liu"),
    ("陈", "Chen"),
    ("杨", "Yang"),
    ("黄", "Huang"),
    ("赵", "Zhao"),
    ("吴", "Wu"),
    ("周", "Zhou"),
    ("徐", "Xu"),
    ("孙", "Sun"),
    ("马", "Ma"),
    ("朱", "Zhu"),
    ("胡", "Hu"),
    ("郭", "Guo"),
    ("何", "He"),
    ("林", "Lin"),
    ("高", "Gao"),
    ("罗", "Luo"),
];
const GIVEN: [(&str, &str); 20] = [
    ("芳", "Fang"),
    ("俊杰", "Junjie"),
    ("秀英", "Xiuying"),
    ("强", "Qiang"),
    ("雨欣", "Yuxin"),
    ("子涵", "Zihan"),
    ("浩然", "Haoran"),
    ("欣怡", "Xinyi"),
    ("建国", "Jianguo"),
    ("梦瑶", "Mengyao"),
    ("志强", "Zhiqiang"),
    ("晓明", "Xiaoming"),
    ("佳琪", "Jiaqi"),
    ("宇航", "Yuhang"),
    ("思远", "Siyuan"),
    ("雪梅", "Xuemei"),
    ("鹏飞", "Pengfei"),
    ("诗雨", "Shiyu"),
    ("文博", "Wenbo"),
    ("静怡", "Jingyi"),
];
const FIRST: [&str; 20] = [
    "Alice", "Daniel", "Fatima", "Hugo", "Ingrid", "James", "Keiko", "Leila", "Marco", "Nadia", "Omar",
    "Paula", "Quentin", "Rosa", "Samir", "Tara", "Umar", "Vera", "Wanda", "Yusuf",
];
const LAST: [&str; 20] = [
    "Adeyemi", "Berg", "Castillo", "Dubois", "Evans", "Fischer", "Gupta", "Hansen", "Ivanov", "Jensen",
    "Kowalski", "Lopez", "Moretti", "Nguyen", "O'Brien", "Park", "Quispe", "Reyes", "Silva", "Tanaka",
];

fn at<T: Copy>(list: &[T], index: usize) -> Option<T> {
    list.get(index % list.len().max(1)).copied()
}

/// Person number `no`, whom every key finds. The same number is always the same person.
pub(super) fn person(no: usize) -> Person {
    let chance = usize::try_from(mix(no as u64 + 77) % 1_000_000).unwrap_or(0);
    let (name, en_name) = if let Some((name, en_name)) = CAST.get(no) {
        ((*name).to_owned(), (*en_name).to_owned())
    } else if chance % 5 < 3 {
        let (surname, given) = (at(&SURNAMES, chance / 5), at(&GIVEN, chance / 100));
        let ((zh, en), (given_zh, given_en)) = (surname.unwrap_or_default(), given.unwrap_or_default());
        (format!("{zh}{given_zh}"), format!("{en} {given_en}"))
    } else {
        let name = format!(
            "{} {}",
            at(&FIRST, chance / 5).unwrap_or_default(),
            at(&LAST, chance / 100).unwrap_or_default()
        );
        (name.clone(), name)
    };
    let is_chinese = !name.is_ascii() && name.chars().all(|c| !c.is_ascii());
    let handle: String = en_name
        .to_ascii_lowercase()
        .chars()
        .filter_map(|c| if c == ' ' { Some('.') } else { c.is_ascii_alphanumeric().then_some(c) })
        .collect();
    let email = if no < CAST.len() {
        format!("{handle}@lumenpay.example")
    } else {
        format!("{handle}{no}@lumenpay.example")
    };
    let mobile = if is_chinese { format!("+86138{no:08}") } else { format!("+1415{no:07}") };
    Person { name, en_name, email: Some(email), mobile: Some(mobile), ..Person::default() }
}

impl People {
    /// Takes `list` over; where two share a key, the first is found by it.
    pub(super) fn new(list: Vec<Person>) -> Self {
        let (mut by_email, mut by_mobile) = (HashMap::new(), HashMap::new());
        for (no, person) in list.iter().enumerate() {
            if let Some(email) = &person.email {
                by_email.entry(email.to_lowercase()).or_insert(no);
            }
            if let Some(mobile) = &person.mobile {
                by_mobile.entry(mobile.clone()).or_insert(no);
            }
        }
        Self { list, by_email, by_mobile }
    }

    /// Changes somebody; keys that are new find the person from now on, old ones no more.
    pub(super) fn change(&mut self, no: usize, change: impl FnOnce(&mut Person)) {
        let mut list = std::mem::take(&mut self.list);
        if let Some(person) = list.get_mut(no) {
            change(person);
        }
        *self = Self::new(list);
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// By number.
    pub(super) fn get(&self, no: usize) -> Option<&Person> {
        self.list.get(no)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Person> {
        self.list.iter()
    }

    /// By name, either form.
    pub(super) fn by_name(&self, name: &str) -> Option<usize> {
        self.list.iter().position(|person| person.name == name || person.en_name == name)
    }

    /// By contact email, in any case.
    pub(super) fn by_email(&self, email: &str) -> Option<usize> {
        self.by_email.get(&email.trim().to_lowercase()).copied()
    }

    /// By phone as the lookup wants it: mainland China bare, all others with `+` and country code.
    pub(super) fn by_mobile(&self, mobile: &str) -> Option<usize> {
        let mobile = mobile.trim();
        if mobile.starts_with("+86") {
            return None;
        }
        if mobile.starts_with('+') {
            return self.by_mobile.get(mobile).copied();
        }
        self.by_mobile.get(&format!("+86{mobile}")).copied()
    }
}

fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An id of 32 digits that `scope` alone can read back: 24 digits of a hash, 8 of the masked number.
fn numbered(scope: &str, no: usize) -> String {
    let head = digest(&[scope, &no.to_string()]);
    let mask = digest(&[scope]);
    let no = u32::try_from(no).unwrap_or(u32::MAX);
    let masked: Vec<u8> = no.to_be_bytes().iter().zip(mask).map(|(a, b)| a ^ b).collect();
    hex(head.get(..12).unwrap_or_default()) + &hex(&masked)
}

fn number_of(scope: &str, digits: &str) -> Option<usize> {
    let masked = u32::from_str_radix(digits.get(24..)?, 16).ok()?;
    let mask = digest(&[scope]);
    let mask = u32::from_be_bytes([mask[0], mask[1], mask[2], mask[3]]);
    let no = usize::try_from(masked ^ mask).ok()?;
    (numbered(scope, no) == digits).then_some(no)
}

/// The open_id by which `app_id` knows person `no`.
pub(super) fn open_id(app_id: &str, no: usize) -> String {
    format!("ou_{}", numbered(app_id, no))
}

/// Whom `app_id` knows by this open_id.
pub(super) fn by_open_id(app_id: &str, open_id: &str) -> Option<usize> {
    number_of(app_id, open_id.strip_prefix("ou_")?)
}

/// The union_id of person `no`.
pub(super) fn union_id(no: usize) -> String {
    format!("on_{}", numbered("developer", no))
}

/// Whose union_id this is.
pub(super) fn by_union_id(union_id: &str) -> Option<usize> {
    number_of("developer", union_id.strip_prefix("on_")?)
}

/// The user_id of person `no`.
pub(super) fn user_id(no: usize) -> String {
    format!("u{no:07}")
}

/// Whose user_id this is.
pub(super) fn by_user_id(user_id: &str) -> Option<usize> {
    user_id.strip_prefix('u')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lead_back_to_their_person_and_to_no_other_app() {
        for no in [0, 1, 319, 99_999] {
            let id = open_id("cli_a", no);
            assert_eq!(id.len(), 35);
            assert_eq!(by_open_id("cli_a", &id), Some(no));
            assert_eq!(by_open_id("cli_b", &id), None);
            assert_eq!(by_union_id(&union_id(no)), Some(no));
            assert_eq!(by_user_id(&user_id(no)), Some(no));
        }
        assert_eq!(by_open_id("cli_a", "ou_"), None);
        assert_eq!(by_open_id("cli_a", "ou_中文"), None);
    }

    #[test]
    fn generated_people_have_keys_of_their_own() {
        let people = People::new((0..3000).map(person).collect());
        for (no, person) in people.iter().enumerate() {
            assert_eq!(people.by_email(person.email.as_deref().unwrap()), Some(no));
            let mobile = person.mobile.as_deref().unwrap();
            assert_eq!(people.by_mobile(mobile.strip_prefix("+86").unwrap_or(mobile)), Some(no), "{mobile}");
        }
        assert_eq!(people.by_mobile("+8613800000000"), None);
    }
}
