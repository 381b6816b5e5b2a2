//! The extraction engine against the simulated Jira: every table cell by cell, while people go on working in it, with every way of
//! saying no, and resumed at any point.

mod complete;
mod faults;
mod frugal;
mod landing;
mod limits;
mod login;
mod record;
mod resume;
mod speed;
mod stop;
mod traps_cloud;
mod traps_server;
mod versions;
