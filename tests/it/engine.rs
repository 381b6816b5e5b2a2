//! The extraction engine against the simulated Jira: every table cell by cell, while people go on working in it, with every way of
//! saying no, and resumed at any point.

mod complete;
mod faults;
mod keeper;
mod landing;
mod login;
mod record;
mod resume;
mod speed;
mod stop;
mod sweep;
