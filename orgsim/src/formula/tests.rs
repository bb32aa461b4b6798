use std::sync::Arc;

use super::{Formula, Kind, Now, Scope};
use crate::commit::{Commit, CommitSink, Disturbance};
use crate::org::{Caller, Cell, Json, Org, Row, Transaction};
use crate::schema::standard_schema;

/// 2026-11-25T12:00:00Z.
const NOW: i64 = 1_795_608_000;

struct Deaf;

impl CommitSink for Deaf {
    fn publish(&self, _commit: Commit) {}
    fn disturb(&self, _org_id: &str, _disturbance: Disturbance) {}
}

/// An org with one account and one contact of it; the contact's row.
pub(super) fn furnished() -> (Org, Arc<Row>) {
    let mut org = Org::new("f", Arc::new(standard_schema()), Arc::new(Deaf), 1, true, NOW);
    let caller = Caller {
        user: (*org.identity.integration.id).into(),
        bypass: false,
        origin: "".into(),
        manner: Default::default(),
    };
    let mut make = |entity: &str, text: &str| {
        let sobject = org.schema.place(entity).unwrap();
        let Json::Object(members) = serde_json::from_str::<Json<'_>>(text).unwrap() else {
            panic!("a row is an object");
        };
        let mut tx = Transaction::begin(&mut org, &caller, NOW);
        let record = tx.create(sobject, &members).unwrap();
        tx.commit();
        org.row(record).cloned().unwrap()
    };
    let account = make("Account", r#"{"Name": "Acme", "AnnualRevenue": 1500.5}"#);
    let text = format!(
        r#"{{"AccountId": "{}", "LastName": "Ng", "Birthdate": "2000-02-29", "LeadSource": "Web", "Tandem_Seq__c": 7}}"#,
        account.id()
    );
    let contact = make("Contact", &text);
    (org, contact)
}

fn value(source: &str) -> Cell {
    let (org, row) = furnished();
    let contact = org.schema.place("Contact").unwrap();
    let formula = Formula::compile(source, &org.schema, contact).unwrap_or_else(|e| panic!("{source}: {e}"));
    formula.evaluate(&Scope {
        org: &org,
        row: Now::Kept(&row.cells),
        before: None,
        is_new: false,
        now: NOW,
        user: "005",
        bypass: false,
    })
}

#[test]
fn functions_and_operators_give_what_they_promise() {
    let date = |y, m, d| Cell::Date(jiff::civil::date(y, m, d));
    for (source, expected) in [
        ("1 + 2 * 3 - 4 / 2", Cell::Number(5.0)),
        ("-2 ^ 2 + 10", Cell::Number(14.0)),
        ("(1 + 2) * 3", Cell::Number(9.0)),
        ("1 / 0", Cell::Null),
        ("MOD(7, 0)", Cell::Null),
        ("ROUND(2.345, 2)", Cell::Number(2.35)),
        ("ROUND(-2.5, 0)", Cell::Number(-3.0)),
        ("MAX(1, 3, 2) + MIN(4, 5)", Cell::Number(7.0)),
        ("LastName & \", \" & Account.Name", Cell::text("Ng, Acme")),
        ("LastName + 'x'", Cell::text("Ngx")),
        ("FirstName & ''", Cell::Null),
        ("LEN(FirstName)", Cell::Number(0.0)),
        ("MID('abcdef', 2, 3)", Cell::text("bcd")),
        ("LEFT(RIGHT('abcdef', 3), 1)", Cell::text("d")),
        ("FIND('c', 'abc')", Cell::Number(3.0)),
        ("SUBSTITUTE('a-b-c', '-', '+')", Cell::text("a+b+c")),
        ("VALUE('12.5') + VALUE('x')", Cell::Null),
        ("TEXT(Account.AnnualRevenue)", Cell::text("1500.5")),
        ("TEXT(LeadSource)", Cell::text("Web")),
        ("TEXT(NOW())", Cell::text("2026-11-25 12:00:00Z")),
        ("CASE(LeadSource, 'Web', 1, 'Other', 2, 3)", Cell::Number(1.0)),
        ("CASE(LastName, 'x', 'a', 'b')", Cell::text("b")),
        ("IF(ISPICKVAL(LeadSource, 'Web'), 'w', 'o')", Cell::text("w")),
        ("TODAY()", date(2026, 11, 25)),
        ("TODAY() + 7", date(2026, 12, 2)),
        ("TODAY() - DATE(2026, 11, 1)", Cell::Number(24.0)),
        ("TODAY() + 99999999999", Cell::Null),
        ("NOW() + 99999999999999", Cell::Null),
        ("DATE(2026, 2, 30)", Cell::Null),
        ("YEAR(Birthdate) * 100 + MONTH(Birthdate)", Cell::Number(200_002.0)),
        ("(NOW() + 0.5) - NOW()", Cell::Number(0.5)),
        ("DATEVALUE(NOW())", date(2026, 11, 25)),
        ("BLANKVALUE(FirstName, 'nobody')", Cell::text("nobody")),
        ("$User.Id", Cell::text("005")),
        ("/* a comment */ 'it\\'s'", Cell::text("it's")),
    ] {
        assert_eq!(value(source), expected, "{source}");
    }
}

#[test]
fn conditions_know_what_is_blank() {
    for (source, expected) in [
        ("ISBLANK(FirstName)", true),
        ("FirstName = ''", true),
        ("FirstName <> 'x'", true),
        ("ISBLANK(Tandem_Seq__c)", false),
        ("Tandem_Seq__c < 8 && Tandem_Seq__c >= 7", true),
        // With null nothing is smaller or larger.
        ("Account.NumberOfEmployees < 8", false),
        ("Account.NumberOfEmployees > 8", false),
        ("LastName = 'ng'", false),
        ("NOT(ISNEW()) || FALSE", true),
        ("ISCHANGED(LastName)", false),
        ("PRIORVALUE(LastName) = LastName", true),
        ("$Permission.Something", false),
        ("CONTAINS(LastName, 'g') && BEGINS(LastName, 'N')", true),
        ("ISNUMBER('1e3')", true),
        ("OR(FALSE, NULL)", false),
    ] {
        assert_eq!(value(source), Cell::Bool(expected), "{source}");
    }
}

#[test]
fn what_changed_is_seen_against_the_row_before() {
    let (org, before) = furnished();
    let contact = org.schema.place("Contact").unwrap();
    let object = &org.schema.sobjects[contact];
    let mut after = before.cells.unpack(object.fields.len());
    after[object.field("LastName").unwrap()] = Cell::text("Li");
    let holds = |source: &str, is_new: bool| {
        Formula::compile(source, &org.schema, contact).unwrap().holds(&Scope {
            org: &org,
            row: Now::Open(&after),
            before: (!is_new).then_some(&before.cells),
            is_new,
            now: NOW,
            user: "",
            bypass: true,
        })
    };
    assert!(holds(
        "ISCHANGED(LastName) && PRIORVALUE(LastName) = 'Ng' && LastName = 'Li'",
        false
    ));
    assert!(holds("NOT(ISCHANGED(Birthdate))", false));
    assert!(holds(
        "ISNEW() && NOT(ISCHANGED(LastName)) && PRIORVALUE(LastName) = 'Li'",
        true
    ));
    assert!(holds(
        "$Permission.Tandem_Fence_Bypass && $Permission.acme__Tandem_Fence_Bypass",
        false
    ));
}

#[test]
fn what_makes_no_sense_is_told_with_its_place() {
    let schema = standard_schema();
    let contact = schema.place("Contact").unwrap();
    let deep = "(".repeat(300) + "1" + &")".repeat(300);
    let chain = "1+".repeat(300) + "1";
    for (source, at, words) in [
        ("", 1, "a value is wanted, not the end"),
        ("1 +", 4, "a value is wanted, not the end"),
        ("1 2", 3, "an operator, or the end is wanted, not 2"),
        ("'abc", 1, "a text has no end"),
        ("/* abc", 1, "a comment has no end"),
        ("a # b", 3, "# has no place in a formula"),
        ("Nothing__c", 1, "Field Nothing__c does not exist. Check spelling."),
        ("Account.Nothing", 1, "Field Account.Nothing does not exist"),
        ("1 + FOO(2)", 5, "Unknown function FOO. Check spelling."),
        ("LEN()", 1, "Expected 1, received 0"),
        ("LEN(1)", 5, "it does not take Number"),
        ("1 = 'a'", 1, "=: Number and Text do not go together"),
        (
            "LeadSource = 'Web'",
            1,
            "Picklist fields are only supported in certain functions",
        ),
        ("IF(1, 2, 3)", 4, "it does not take Number"),
        ("IF(TRUE, 2, 'x')", 1, "Number and Text do not go together"),
        ("ISCHANGED(Account.Name)", 1, "takes one field of the object itself"),
        ("PRIORVALUE(1)", 1, "takes one field of the object itself"),
        ("MailingAddress", 1, "does not exist"),
        (&deep, 66, "nested deeper than 64"),
        (&chain, 132, "nested deeper than 64"),
    ] {
        let problem = Formula::compile(source, &schema, contact)
            .err()
            .unwrap_or_else(|| panic!("{source}"));
        assert!(problem.problem.contains(words), "{source}: {problem}");
        assert_eq!(problem.at, at, "{source}: {problem}");
    }
    let long = format!("'{}'", "x".repeat(4_000));
    let problem = Formula::compile(&long, &schema, contact).unwrap_err();
    assert!(problem.problem.contains("3900 characters"), "{problem}");
    assert_eq!(Formula::compile("TEXT(1)", &schema, contact).unwrap().kind, Kind::Text);
}
