//! The extraction engine against the simulated Jira: every table cell by cell, while people go on working in it, with every way of
//! saying no, and resumed at any point.

mod complete;
mod faults;
mod frugal;
mod keeper;
mod landing;
mod limits;
mod login;
mod property;
mod record;
mod resume;
mod speed;
mod stop;
mod sweep;
mod traps_cloud;
mod traps_server;
mod versions;
