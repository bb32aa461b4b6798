//! The Salesforce adapter against servers that say exactly what real ones were seen to say.

mod ends;
mod hosts;
mod login;
mod reads;
mod rig;
mod rows;
mod session;
mod tokens;
