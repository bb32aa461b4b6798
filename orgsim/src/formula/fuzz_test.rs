//! Formulas of any bytes: read, bound, and evaluated for a row.

use super::tests::furnished;
use super::{Formula, Now, Scope};
use crate::mutate::Fuzz;

#[test]
fn fuzz_formulas() {
    let words = [
        "AND(",
        "OR(",
        "NOT(",
        "IF(",
        "CASE(",
        "ISBLANK(",
        "ISNEW()",
        "ISCHANGED(",
        "PRIORVALUE(",
        "BLANKVALUE(",
        "ISPICKVAL(",
        "INCLUDES(",
        "TEXT(",
        "VALUE(",
        "ISNUMBER(",
        "LEN(",
        "LEFT(",
        "RIGHT(",
        "MID(",
        "UPPER(",
        "TRIM(",
        "CONTAINS(",
        "BEGINS(",
        "FIND(",
        "SUBSTITUTE(",
        "ROUND(",
        "FLOOR(",
        "MOD(",
        "MIN(",
        "MAX(",
        "SQRT(",
        "TODAY()",
        "NOW()",
        "DATE(",
        "DATEVALUE(",
        "YEAR(",
        "$Permission.Tandem_Fence_Bypass",
        "$User.Id",
        "LastName",
        "Account.Name",
        "Account.Owner.Name",
        "Birthdate",
        "CreatedDate",
        "LeadSource",
        "Tandem_Seq__c",
        "HasOptedOutOfEmail",
        "TRUE",
        "NULL",
        "1e308",
        "-99999999999",
        "0.1",
        "'",
        "\"",
        "\\",
        "(",
        ")",
        ",",
        "&&",
        "||",
        "<>",
        "<=",
        "^",
        "/*",
        "*/",
    ];
    let corpus = [
        "AND(NOT(ISNEW()), NOT(ISBLANK(PRIORVALUE(Tandem_Seq__c))), OR(ISBLANK(Tandem_Seq__c), Tandem_Seq__c < PRIORVALUE(Tandem_Seq__c)))",
        "IF(ISPICKVAL(LeadSource, 'Web'), LEFT(LastName, 3) & \"-\" & TEXT(YEAR(Birthdate)), Account.Name)",
        "CASE(MONTH(TODAY()), 1, 'a', 2, 'b', SUBSTITUTE('ccc', 'c', 'dd'))",
        "(NOW() - CreatedDate) * 24 > 1.5 || TODAY() + 7 >= DATE(2026, 12, 2)",
        "ROUND(MAX(1, Tandem_Seq__c) / 3 ^ 2, 2) + MOD(7, 3) - VALUE('12.5')",
    ];
    let (org, row) = furnished();
    let contact = org.schema.place("Contact").unwrap();
    let fuzz = Fuzz {
        name: "formulas",
        corpus: corpus.map(|text| text.as_bytes().to_vec()).to_vec(),
        words: &words,
        cases: 4_000,
    };
    fuzz.run(|bytes| {
        let source = String::from_utf8_lossy(bytes);
        match Formula::compile(&source, &org.schema, contact) {
            Err(problem) => {
                assert!(problem.at <= source.chars().count() + 1, "{problem}");
                problem.problem.chars().filter(|c| c.is_ascii_uppercase()).collect()
            }
            Ok(formula) => {
                let value = formula.evaluate(&Scope {
                    org: &org,
                    row: Now::Kept(&row.cells),
                    before: Some(&row.cells),
                    is_new: bytes.len().is_multiple_of(2),
                    now: 1_795_608_000,
                    user: "005",
                    bypass: false,
                });
                assert!(value.as_number().is_none_or(f64::is_finite), "{source}");
                format!("{:?} {}", formula.kind, value.is_null())
            }
        }
    });
}
