//! The names of the domain. No I/O, no async runtime, no terminal.

pub mod emoji;
pub mod error;
pub mod health;
pub mod ids;
pub mod integration;
pub mod lang;
pub mod member;
pub mod message;
pub mod operation;
pub mod permit;
pub mod permit_rows;
pub mod quota;
pub mod readable;
pub mod retention;
pub mod role;
pub mod room;
pub mod secret;
pub mod text;
pub mod time;
