//! A formula's names, looked up in the object; its types, checked.

use super::FormulaProblem;
use super::parser::{Part, Tree};
use crate::org::Cell;
use crate::schema::{FieldType, Schema};

/// Most steps from a row to a parent of parents [from memory: ten].
const MAX_HOPS: usize = 10;

/// What a formula gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text, an id too.
    Text,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A calendar date.
    Date,
    /// A moment.
    DateTime,
    /// A picklist: only some functions take it.
    Picklist,
    /// A list of picklist values: only some functions take it.
    MultiPicklist,
    /// Null, which goes with everything.
    Null,
}

/// A field of the row or of a parent: the references to follow, and the field.
#[derive(Debug, PartialEq)]
pub(super) struct Path {
    pub(super) hops: Vec<usize>,
    pub(super) field: usize,
}

/// A tree whose names are known.
#[derive(Debug)]
pub(super) enum Node {
    Value(Cell),
    Field(Path),
    /// The value of the row's field before the change.
    Prior(usize),
    Changed(usize),
    IsNew,
    /// A custom permission of the user who writes.
    Permission(Permission),
    UserId,
    Call(&'static str, Vec<Node>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permission {
    /// That of users whom the fence does not bind.
    FenceBypass,
    /// One that nobody has.
    Unknown,
}

/// What a function takes: one argument of each letter's kind, and what it gives. `t` text, `n` number, `b` boolean, `d` date,
/// `m` moment (or date), `p` picklist, `s` list of picklist values, `a` anything; `*` repeats the last.
const FUNCTIONS: [(&str, &str, Kind); 48] = [
    ("AND", "b*", Kind::Boolean),
    ("OR", "b*", Kind::Boolean),
    ("&&", "bb", Kind::Boolean),
    ("||", "bb", Kind::Boolean),
    ("NOT", "b", Kind::Boolean),
    ("ISBLANK", "a", Kind::Boolean),
    ("ISNULL", "a", Kind::Boolean),
    ("ISPICKVAL", "pt", Kind::Boolean),
    ("INCLUDES", "st", Kind::Boolean),
    ("TEXT", "a", Kind::Text),
    ("VALUE", "t", Kind::Number),
    ("ISNUMBER", "t", Kind::Boolean),
    ("LEN", "t", Kind::Number),
    ("LEFT", "tn", Kind::Text),
    ("RIGHT", "tn", Kind::Text),
    ("MID", "tnn", Kind::Text),
    ("UPPER", "t", Kind::Text),
    ("LOWER", "t", Kind::Text),
    ("TRIM", "t", Kind::Text),
    ("CONTAINS", "tt", Kind::Boolean),
    ("BEGINS", "tt", Kind::Boolean),
    ("FIND", "tt", Kind::Number),
    ("SUBSTITUTE", "ttt", Kind::Text),
    ("ABS", "n", Kind::Number),
    ("ROUND", "nn", Kind::Number),
    ("FLOOR", "n", Kind::Number),
    ("CEILING", "n", Kind::Number),
    ("MOD", "nn", Kind::Number),
    ("MIN", "n*", Kind::Number),
    ("MAX", "n*", Kind::Number),
    ("SQRT", "n", Kind::Number),
    ("TODAY", "", Kind::Date),
    ("NOW", "", Kind::DateTime),
    ("DATE", "nnn", Kind::Date),
    ("DATEVALUE", "a", Kind::Date),
    ("YEAR", "d", Kind::Number),
    ("MONTH", "d", Kind::Number),
    ("DAY", "d", Kind::Number),
    ("NEGATE", "n", Kind::Number),
    ("PLUS", "n", Kind::Number),
    ("*", "nn", Kind::Number),
    ("/", "nn", Kind::Number),
    ("^", "nn", Kind::Number),
    ("&", "tt", Kind::Text),
    ("=", "aa", Kind::Boolean),
    ("==", "aa", Kind::Boolean),
    ("<>", "aa", Kind::Boolean),
    ("!=", "aa", Kind::Boolean),
];

/// # Errors
/// A name or function that is none, or an argument of the wrong kind.
pub(super) fn bind(tree: &Tree, schema: &Schema, sobject: usize) -> Result<(Node, Kind), FormulaProblem> {
    Binder { schema, sobject }.node(tree)
}

struct Binder<'s> {
    schema: &'s Schema,
    sobject: usize,
}

fn wrong(tree: &Tree, problem: impl Into<String>) -> FormulaProblem {
    FormulaProblem {
        at: tree.at,
        problem: problem.into(),
    }
}

impl Binder<'_> {
    fn node(&self, tree: &Tree) -> Result<(Node, Kind), FormulaProblem> {
        match &tree.part {
            Part::Value(cell) => Ok((Node::Value(cell.clone()), kind_of(cell))),
            Part::Name(name) => self.name(tree, name),
            Part::Call(function, arguments) => self.call(tree, function, arguments),
        }
    }

    fn name(&self, tree: &Tree, name: &str) -> Result<(Node, Kind), FormulaProblem> {
        if let Some(permission) = strip(name, "$Permission.") {
            // A managed package puts its namespace before the name.
            let bypass = permission.to_ascii_lowercase().ends_with("tandem_fence_bypass");
            let permission = if bypass {
                Permission::FenceBypass
            } else {
                Permission::Unknown
            };
            return Ok((Node::Permission(permission), Kind::Boolean));
        }
        if name.eq_ignore_ascii_case("$User.Id") {
            return Ok((Node::UserId, Kind::Text));
        }
        let (path, kind) = self.path(tree, name)?;
        Ok((Node::Field(path), kind))
    }

    fn path(&self, tree: &Tree, name: &str) -> Result<(Path, Kind), FormulaProblem> {
        let unknown = || wrong(tree, format!("Field {name} does not exist. Check spelling."));
        let mut place = self.sobject;
        let mut steps: Vec<&str> = name.split('.').collect();
        let last = steps.pop().unwrap_or_default();
        if steps.len() > MAX_HOPS {
            return Err(wrong(tree, format!("a path has at most {MAX_HOPS} steps")));
        }
        let mut hops = Vec::with_capacity(steps.len());
        for step in steps {
            let object = &self.schema.sobjects[place];
            let hop = object.relationship(step).ok_or_else(unknown)?;
            let target = object.fields[hop].reference_to.first();
            place = target
                .and_then(|target| self.schema.place(target))
                .ok_or_else(unknown)?;
            hops.push(hop);
        }
        let object = &self.schema.sobjects[place];
        let field = object.field(last).ok_or_else(unknown)?;
        if object.fields[field].formula.is_some() {
            return Err(wrong(
                tree,
                format!("{name} is a formula itself: write out what it says"),
            ));
        }
        let kind = match object.fields[field].kind {
            FieldType::Boolean => Kind::Boolean,
            FieldType::Date => Kind::Date,
            FieldType::DateTime => Kind::DateTime,
            FieldType::Picklist => Kind::Picklist,
            FieldType::MultiPicklist => Kind::MultiPicklist,
            kind if kind.is_number() => Kind::Number,
            FieldType::Address => return Err(unknown()),
            _ => Kind::Text,
        };
        Ok((Path { hops, field }, kind))
    }

    /// A field of the row itself: what functions of a change speak of.
    fn own(&self, tree: &Tree, function: &str, arguments: &[Tree]) -> Result<(usize, Kind), FormulaProblem> {
        if let [
            Tree {
                part: Part::Name(name), ..
            },
        ] = arguments
            && !name.starts_with('$')
        {
            let (path, kind) = self.path(tree, name)?;
            if path.hops.is_empty() {
                return Ok((path.field, kind));
            }
        }
        Err(wrong(tree, format!("{function} takes one field of the object itself")))
    }

    fn call(&self, tree: &Tree, function: &str, arguments: &[Tree]) -> Result<(Node, Kind), FormulaProblem> {
        match function {
            "ISNEW" if arguments.is_empty() => return Ok((Node::IsNew, Kind::Boolean)),
            "ISCHANGED" => {
                let (field, _) = self.own(tree, function, arguments)?;
                return Ok((Node::Changed(field), Kind::Boolean));
            }
            "PRIORVALUE" => {
                let (field, kind) = self.own(tree, function, arguments)?;
                return Ok((Node::Prior(field), kind));
            }
            _ => {}
        }
        let (nodes, kinds): (Vec<Node>, Vec<Kind>) = arguments
            .iter()
            .map(|a| self.node(a))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .unzip();
        let (name, kind) = self.result(tree, function, arguments, &kinds)?;
        Ok((Node::Call(name, nodes), kind))
    }

    /// The function's name as the table has it, and what it gives.
    fn result(
        &self,
        tree: &Tree,
        function: &str,
        arguments: &[Tree],
        kinds: &[Kind],
    ) -> Result<(&'static str, Kind), FormulaProblem> {
        let alike = |at: usize, kinds: &[Kind]| {
            let mut found = Kind::Null;
            for kind in kinds {
                found = match (found, plain(*kind)) {
                    (Kind::Null, kind) => kind,
                    (found, Kind::Null) => found,
                    (found, kind) if found == kind => found,
                    (found, kind) => {
                        let text = format!("{function}: {found:?} and {kind:?} do not go together");
                        return Err(FormulaProblem { at, problem: text });
                    }
                };
            }
            Ok(found)
        };
        match (function, kinds) {
            ("IF", [condition, results @ ..]) if results.len() == 2 => {
                takes(&arguments[0], function, 'b', *condition)?;
                Ok(("IF", alike(tree.at, results)?))
            }
            ("CASE", [_, rest @ ..]) if rest.len() >= 3 && rest.len() % 2 == 1 => {
                let results: Vec<Kind> = rest.chunks(2).map(|pair| *pair.last().unwrap_or(&Kind::Null)).collect();
                Ok(("CASE", alike(tree.at, &results)?))
            }
            ("BLANKVALUE" | "NULLVALUE", [_, _]) => Ok(("BLANKVALUE", alike(tree.at, kinds)?)),
            ("+", [Kind::Text, Kind::Text]) => Ok(("&", Kind::Text)),
            (
                "+",
                [day @ (Kind::Date | Kind::DateTime), Kind::Number]
                | [Kind::Number, day @ (Kind::Date | Kind::DateTime)],
            ) => Ok(("+", *day)),
            ("-", [day @ (Kind::Date | Kind::DateTime), Kind::Number]) => Ok(("-", *day)),
            ("-", [Kind::Date, Kind::Date] | [Kind::DateTime, Kind::DateTime]) => Ok(("-", Kind::Number)),
            ("+" | "-", [left, right]) => {
                takes(&arguments[0], function, 'n', *left)?;
                takes(&arguments[1], function, 'n', *right)?;
                Ok((if function == "+" { "+" } else { "-" }, Kind::Number))
            }
            ("<" | "<=" | ">" | ">=", [_, _]) => {
                alike(tree.at, kinds)?;
                let name = ["<", "<=", ">", ">="].into_iter().find(|name| *name == function);
                Ok((name.unwrap_or("<"), Kind::Boolean))
            }
            _ => self.listed(tree, function, arguments, kinds),
        }
    }

    fn listed(
        &self,
        tree: &Tree,
        function: &str,
        arguments: &[Tree],
        kinds: &[Kind],
    ) -> Result<(&'static str, Kind), FormulaProblem> {
        let Some((name, takes_kinds, gives)) = FUNCTIONS.iter().find(|(name, ..)| *name == function) else {
            return Err(wrong(tree, format!("Unknown function {function}. Check spelling.")));
        };
        let wanted = takes_kinds.trim_end_matches('*');
        let many = wanted.len() < takes_kinds.len();
        if kinds.len() != wanted.len() && !(many && kinds.len() > wanted.len()) {
            let text = format!(
                "Incorrect number of parameters for function '{name}()'. Expected {}, received {}",
                wanted.len(),
                kinds.len()
            );
            return Err(wrong(tree, text));
        }
        let last = wanted.chars().last().unwrap_or('a');
        for ((argument, kind), wanted) in arguments
            .iter()
            .zip(kinds)
            .zip(wanted.chars().chain(std::iter::repeat(last)))
        {
            takes(argument, function, wanted, *kind)?;
        }
        if matches!(*name, "=" | "==" | "<>" | "!=") {
            let (left, right) = (plain(kinds[0]), plain(kinds[1]));
            if left != right && left != Kind::Null && right != Kind::Null {
                return Err(wrong(
                    tree,
                    format!("{name}: {left:?} and {right:?} do not go together"),
                ));
            }
            if kinds
                .iter()
                .any(|kind| matches!(kind, Kind::Picklist | Kind::MultiPicklist))
            {
                return Err(wrong(tree, PICKLIST));
            }
        }
        Ok((name, *gives))
    }
}

/// [from memory]
const PICKLIST: &str =
    "Picklist fields are only supported in certain functions: ISPICKVAL, CASE, TEXT, ISBLANK, INCLUDES.";

fn takes(argument: &Tree, function: &str, wanted: char, kind: Kind) -> Result<(), FormulaProblem> {
    let fits = match wanted {
        't' => kind == Kind::Text,
        'n' => kind == Kind::Number,
        'b' => kind == Kind::Boolean,
        'd' => kind == Kind::Date,
        'p' => kind == Kind::Picklist,
        's' => kind == Kind::MultiPicklist,
        _ => true,
    };
    if fits || kind == Kind::Null {
        return Ok(());
    }
    if matches!(kind, Kind::Picklist | Kind::MultiPicklist) {
        return Err(wrong(argument, PICKLIST));
    }
    Err(wrong(
        argument,
        format!("Incorrect parameter type for function '{function}()': it does not take {kind:?}"),
    ))
}

/// A picklist's value is a text.
fn plain(kind: Kind) -> Kind {
    if kind == Kind::Picklist { Kind::Text } else { kind }
}

fn kind_of(cell: &Cell) -> Kind {
    match cell {
        Cell::Null => Kind::Null,
        Cell::Bool(_) => Kind::Boolean,
        Cell::Number(_) => Kind::Number,
        Cell::Text(_) => Kind::Text,
        Cell::Date(_) => Kind::Date,
        Cell::Instant(_) => Kind::DateTime,
    }
}

/// What comes after a prefix, in any case.
fn strip<'n>(name: &'n str, prefix: &str) -> Option<&'n str> {
    let start = name.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| &name[prefix.len()..])
}
