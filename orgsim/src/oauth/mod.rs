//! Who may come in: apps, users' logins, codes, refresh tokens, access tokens. Pure: each call is given the time.
//!
//! [`Access`] is one org's, under one lock, so that a token cannot be given out while what it hangs on is taken away.

mod access;
mod account;
mod app;
mod code;
mod family;
mod grants;
mod keys;
mod pending;
mod pkce;
mod refusal;
mod scope;
mod session;
mod switch;

pub(crate) use access::{Access, Login, Moved};
pub(crate) use account::Account;
pub(crate) use app::{App, Permitted, TokenFormat};
pub(crate) use code::Agreed;
pub(crate) use keys::{JwtError, SigningKey, header as jwt_header, unchecked_claims};
pub(crate) use pending::{Asked, Page, Pending};
pub(crate) use pkce::challenge;
pub(crate) use refusal::Refusal;
pub(crate) use scope::Scopes;
pub(crate) use switch::{At, Rule};
