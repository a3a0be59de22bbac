//! A roster file read into rows: header aliases, physical line numbers, what is wrong with which line.

use std::collections::HashMap;

use crate::core::{
    error::{Fault, Kind},
    member::Licence,
};

use super::phone;

/// Longest field that is kept, in characters.
pub const MAX_FIELD_CHARS: usize = 256;

/// A row that can be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterRow {
    /// Physical line of the file on which the row begins, from 1.
    pub line: u64,
    /// Given by the file; else the store finds the member by email or makes one.
    pub id: Option<String>,
    /// Never empty.
    pub name: String,
    /// As written, checked.
    pub email: Option<String>,
    /// E.164, or bare digits that lack their country code.
    pub phone: Option<String>,
    /// Team.
    pub team: Option<String>,
    /// Licence, where the file tells.
    pub licence: Option<Licence>,
}

/// A remark about one line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineNote {
    /// Physical line, from 1.
    pub line: u64,
    /// What is wrong with it. May quote the file: foreign text.
    pub reason: String,
}

/// A file that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// What can be imported, in the order of the file.
    pub rows: Vec<RosterRow>,
    /// Lines that cannot.
    pub rejected: Vec<LineNote>,
    /// Lines that can, but not with everything on them.
    pub warnings: Vec<LineNote>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Column {
    Name,
    Email,
    Phone,
    Team,
    Licence,
    Id,
}

impl Column {
    fn of_header(header: &str) -> Option<Self> {
        let plain: String =
            header.trim().to_lowercase().chars().filter(|c| !matches!(c, ' ' | '_' | '-' | '*')).collect();
        Some(match plain.as_str() {
            "name" | "fullname" | "displayname" | "membername" | "姓名" | "名字" | "成员" | "成员姓名" => {
                Self::Name
            }
            "email" | "mail" | "emailaddress" | "contactemail" | "邮箱" | "电子邮箱" | "邮件"
            | "联系邮箱" => Self::Email,
            "phone" | "mobile" | "phonenumber" | "mobilenumber" | "mobilephone" | "cell" | "cellphone"
            | "tel" | "telephone" | "手机" | "手机号" | "手机号码" | "电话" | "电话号码" => {
                Self::Phone
            }
            "team" | "department" | "dept" | "group" | "团队" | "部门" | "小组" => Self::Team,
            "licence" | "license" | "seat" | "许可" | "许可证" | "席位" => Self::Licence,
            "id" | "memberid" | "userid" | "employeeid" | "employeeno" | "工号" | "编号" | "成员id" => {
                Self::Id
            }
            _ => return None,
        })
    }
}

/// Reads a whole file. Unknown columns are left alone.
///
/// # Errors
/// Where nothing of the file can be read: not UTF-8, no header row, no `name` column, a column twice.
pub fn read(bytes: &[u8]) -> Result<Roster, Fault> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(not_utf8());
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter_of(bytes))
        .from_reader(bytes);
    let mut lines = LineCounter::new(bytes);
    let mut columns: Option<HashMap<Column, usize>> = None;
    let mut reading = Reading::default();
    let mut record = csv::ByteRecord::new();
    loop {
        let start = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Err(Fault::new(Kind::Usage, format!("cannot read the file: {error}"))),
        }
        let line = lines.line_of_record(start);
        if record.iter().all(|field| field.trim_ascii().is_empty()) {
            continue;
        }
        match &columns {
            None => columns = Some(read_header(&record)?),
            Some(columns) => reading.take(line, &record, columns),
        }
    }
    if columns.is_none() {
        return Err(Fault::new(
            Kind::Usage,
            "the file is empty: it needs a header row such as name,email,phone",
        ));
    }
    Ok(reading.roster)
}

fn not_utf8() -> Fault {
    Fault::new(Kind::Usage, "the file is not UTF-8").with_hint("Save it as “CSV UTF-8” and import it again.")
}

/// Comma, or what the header row uses in its place.
fn delimiter_of(bytes: &[u8]) -> u8 {
    let header = bytes.split(|b| matches!(b, b'\n' | b'\r')).find(|line| !line.trim_ascii().is_empty());
    let header = header.unwrap_or_default();
    [b',', b'\t', b';'].into_iter().find(|delimiter| header.contains(delimiter)).unwrap_or(b',')
}

fn read_header(record: &csv::ByteRecord) -> Result<HashMap<Column, usize>, Fault> {
    let mut columns = HashMap::new();
    for (at, field) in record.iter().enumerate() {
        let header = std::str::from_utf8(field).map_err(|_| not_utf8())?;
        if let Some(column) = Column::of_header(header)
            && columns.insert(column, at).is_some()
        {
            let message = format!("the header row names a column twice: {}", header.trim());
            return Err(Fault::new(Kind::Usage, message));
        }
    }
    if columns.contains_key(&Column::Name) {
        return Ok(columns);
    }
    Err(Fault::new(Kind::Usage, "the header row has no column `name`").with_hint(
        "The first row names the columns: name,email,phone and, if you like, team, licence and id.",
    ))
}

/// Turns byte offsets of records into physical lines. A line ends with `\n`, `\r\n` or a lone `\r`.
struct LineCounter<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> LineCounter<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, line: 1 }
    }

    /// The line on which the record begins whose reading began at byte `start`: line ends before it are
    /// blank lines, which the reader skips without a word.
    fn line_of_record(&mut self, start: usize) -> u64 {
        while let Some(&byte) = self.bytes.get(self.at) {
            let is_end = matches!(byte, b'\n' | b'\r');
            if self.at >= start && !is_end {
                break;
            }
            let is_first_of_two = byte == b'\r' && self.bytes.get(self.at + 1) == Some(&b'\n');
            if is_end && !is_first_of_two {
                self.line += 1;
            }
            self.at += 1;
        }
        self.line
    }
}

#[derive(Default)]
struct Reading {
    roster: Roster,
    ids: HashMap<String, u64>,
    emails: HashMap<String, u64>,
}

impl Reading {
    fn take(&mut self, line: u64, record: &csv::ByteRecord, columns: &HashMap<Column, usize>) {
        let mut warnings = Vec::new();
        match read_row(line, record, columns, &mut warnings).and_then(|row| self.unlike_earlier(row)) {
            Ok(row) => {
                self.roster.rows.push(row);
                self.roster
                    .warnings
                    .extend(warnings.into_iter().map(|reason| LineNote { line, reason: reason.to_owned() }));
            }
            Err(reason) => self.roster.rejected.push(LineNote { line, reason }),
        }
    }

    fn unlike_earlier(&mut self, row: RosterRow) -> Result<RosterRow, String> {
        let email = row.email.as_deref().map(str::to_lowercase);
        if let Some(first) = row.id.as_ref().and_then(|id| self.ids.get(id)) {
            return Err(format!("the same id is on line {first}"));
        }
        if let Some(first) = email.as_ref().and_then(|email| self.emails.get(email)) {
            return Err(format!("the same email is on line {first}"));
        }
        if let Some(id) = &row.id {
            self.ids.insert(id.clone(), row.line);
        }
        if let Some(email) = email {
            self.emails.insert(email, row.line);
        }
        Ok(row)
    }
}

/// The code of the warning for a phone without its country code, and the sentence that goes with it.
pub const NEEDS_CODE: &str =
    "phone_needs_country_code: outside mainland China a phone is written with + and the country code";
const NO_LICENCE: &str = "the licence is neither fixed nor temporary nor none; it is left out";
const BAD_PHONE: &str = "the phone is not a phone number; it is left out";

fn read_row(
    line: u64,
    record: &csv::ByteRecord,
    columns: &HashMap<Column, usize>,
    warnings: &mut Vec<&'static str>,
) -> Result<RosterRow, String> {
    let field = |column: Column| -> Result<Option<String>, String> {
        let Some(bytes) = columns.get(&column).and_then(|at| record.get(*at)) else { return Ok(None) };
        let text = std::str::from_utf8(bytes).map_err(|_| "the line is not UTF-8".to_owned())?.trim();
        // What `member list --csv` puts before a cell that a spreadsheet would take for a formula.
        let text =
            text.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@'])).unwrap_or(text);
        if text.contains(['\n', '\r']) {
            return Err("a field goes over several lines: is a quotation mark left open?".to_owned());
        }
        if text.chars().count() > MAX_FIELD_CHARS {
            return Err(format!("a field is longer than {MAX_FIELD_CHARS} characters"));
        }
        // A text column cannot hold U+0000 on every engine.
        Ok((!text.is_empty()).then(|| text.replace('\0', "\u{fffd}")))
    };
    let name = field(Column::Name)?.ok_or("the line has no name")?;
    let email = match field(Column::Email)? {
        Some(email) if !is_email(&email) => return Err("the email is not an email address".to_owned()),
        email => email,
    };
    let phone = match field(Column::Phone)?.as_deref().map(phone::read) {
        None => None,
        Some(Ok(phone)) => {
            if matches!(phone, phone::Phone::Bare(_)) {
                warnings.push(NEEDS_CODE);
            }
            Some(phone.into_text())
        }
        Some(Err(phone::NotAPhone)) => {
            warnings.push(BAD_PHONE);
            None
        }
    };
    let id = field(Column::Id)?;
    if let Some(id) = &id
        && id.parse::<crate::core::ids::MemberId>().is_err()
    {
        return Err("the id has a space, a control or a non-ASCII character, or is too long".to_owned());
    }
    let licence = field(Column::Licence)?.map(|text| text.parse());
    if matches!(licence, Some(Err(_))) {
        warnings.push(NO_LICENCE);
    }
    let licence = licence.and_then(Result::ok);
    Ok(RosterRow { line, id, name, email, phone, team: field(Column::Team)?, licence })
}

/// Whether `text` can be the email of an account: one `@` with something plain on both sides.
pub fn is_email(text: &str) -> bool {
    let Some((user, host)) = text.split_once('@') else { return false };
    let is_plain =
        |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '@' | ',' | ';' | '<' | '>' | '"');
    !user.is_empty()
        && text.len() <= 254
        && text.matches('@').count() == 1
        && text.chars().all(|c| c == '@' || is_plain(c))
        && !host.starts_with('.')
        && !host.ends_with('.')
        && host.contains('.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn notes(notes: &[LineNote]) -> Vec<(u64, &str)> {
        notes.iter().map(|note| (note.line, note.reason.as_str())).collect()
    }

    #[test]
    fn rows_keep_their_physical_lines() {
        let file = "\u{feff}姓名,邮箱,手机号,团队\r\n\r\n王芳,wang@ex.test,13800000000,SRE\r\n\"Li\nNa\",li@ex.test,,\r\n,x@ex.test,,\r\nAnn,ann@ex.test,2025550100,\r\nBob,bob@ex.test,n/a,\r\n";
        let roster = read(file.as_bytes()).unwrap();
        let lines: Vec<u64> = roster.rows.iter().map(|row| row.line).collect();
        assert_eq!(lines, [3, 7, 8]);
        assert_eq!(roster.rows[0].phone.as_deref(), Some("+8613800000000"));
        assert_eq!(roster.rows[0].team.as_deref(), Some("SRE"));
        assert_eq!(roster.rows[1].phone.as_deref(), Some("2025550100"));
        assert_eq!(roster.rows[2].phone, None);
        assert_eq!(notes(&roster.rejected).iter().map(|note| note.0).collect::<Vec<_>>(), [4, 6]);
        assert_eq!(notes(&roster.warnings), [(7, NEEDS_CODE), (8, BAD_PHONE)]);
    }

    #[test]
    fn a_licence_is_what_the_file_says_of_it() {
        let file = "name,License\nA,Fixed\nB,temporary\nC,NONE\nD,无\nE,\nF,gold\n";
        let roster = read(file.as_bytes()).unwrap();
        let licences: Vec<Option<Licence>> = roster.rows.iter().map(|row| row.licence).collect();
        let (fixed, temporary, none) = (Licence::Fixed, Licence::Temporary, Licence::None);
        assert_eq!(licences, [Some(fixed), Some(temporary), Some(none), Some(none), None, None]);
        assert_eq!(notes(&roster.warnings), [(7, NO_LICENCE)]);
        assert!(read(b"name\nA\n").unwrap().rows[0].licence.is_none());
    }

    #[test]
    fn the_later_of_two_is_rejected() {
        let roster =
            read(b"name,email,id\nA,a@ex.test,1\nB,A@EX.test,2\nC,c@ex.test,1\nD,d@ex.test,2\n").unwrap();
        assert_eq!(roster.rows.len(), 2);
        assert_eq!(
            notes(&roster.rejected),
            [(3, "the same email is on line 2"), (4, "the same id is on line 2")]
        );
    }

    #[test]
    fn a_row_needs_only_a_name() {
        let roster = read(b"Name;E-Mail;Phone Number\nAnn;;\n;;\n").unwrap();
        assert_eq!(roster.rows.len(), 1);
        assert_eq!((&roster.rows[0].email, &roster.rows[0].phone), (&None, &None));
        assert!(roster.rejected.is_empty());
    }

    #[test]
    fn files_that_cannot_be_read_say_why() {
        for (file, part) in [
            (&b""[..], "empty"),
            (b"email,phone\na@ex.test,1\n", "`name`"),
            (b"name,email,mail\n", "twice"),
            (b"\xff\xfen\0a\0", "UTF-8"),
            (b"\xd0\xd5\xc3\xfb,email\n", "UTF-8"),
        ] {
            let fault = read(file).unwrap_err();
            assert!(fault.message.contains(part), "{fault}");
            assert_eq!(fault.kind, Kind::Usage);
        }
        let roster = read(b"name,email\n\xd0\xd5,a@ex.test\nAnn,not an email\nBob,b@ex.test\n").unwrap();
        assert_eq!(roster.rejected.iter().map(|note| note.line).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(roster.rows[0].line, 4);
    }

    #[test]
    fn an_open_quotation_mark_is_told() {
        let roster = read(b"name,email\n\"Ann,a@ex.test\nBob,b@ex.test\n").unwrap();
        assert_eq!(roster.rejected.len(), 1);
        assert_eq!(roster.rejected[0].line, 2);
    }

    proptest! {
        #[test]
        fn reading_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn lines_are_the_files_own(
            blanks in proptest::collection::vec((0usize..3, prop_oneof!["\n", "\r\n", "\r"]), 1..20),
        ) {
            let mut file = "name\n".to_owned();
            let mut line = 1;
            let mut expected = Vec::new();
            for (at, (count, end)) in blanks.iter().enumerate() {
                // Ends of one kind each, so that \r and \n of two lines do not become one.
                let end = if file.ends_with('\r') && end.starts_with('\n') { "\r" } else { end };
                file.push_str(&end.repeat(*count));
                line += u64::try_from(*count).unwrap();
                line += 1;
                expected.push(line);
                file.push_str(&format!("m{at}{end}"));
            }
            let roster = read(file.as_bytes()).unwrap();
            prop_assert_eq!(roster.rows.iter().map(|row| row.line).collect::<Vec<_>>(), expected);
        }
    }
}
