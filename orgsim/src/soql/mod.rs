//! SOQL.
/// x
#[derive(Debug)]
pub struct Plan;
