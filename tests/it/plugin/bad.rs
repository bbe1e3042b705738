//! The table of bad input: what a plugin, its file and its configuration may do wrong, each with the error that names it; and
//! after each of them another plugin of the same program goes on.

mod calls;
mod configuration;
mod files;
mod libraries;
mod opened;
mod programs;
mod row;
mod served;
mod twice;

use row::{Row, run};

#[test]
fn calls_in_a_library_fail_by_name() {
    run(calls::ROWS);
}

#[test]
fn libraries_that_are_none_are_refused() {
    run(libraries::ROWS);
}

#[test]
fn libraries_that_do_not_keep_to_the_interface_are_refused() {
    run(opened::ROWS);
}

#[test]
fn programs_that_are_executed_fail_by_name() {
    run(programs::ROWS);
}

#[test]
fn programs_that_are_kept_running_fail_by_name() {
    run(served::ROWS);
}

#[test]
fn configurations_with_faults_are_told_with_their_place() {
    run(configuration::ROWS);
}

#[test]
fn files_that_cannot_be_trusted_are_refused() {
    run(files::ROWS);
}

#[test]
fn there_are_at_least_sixty_rows_each_with_its_own_name() {
    let areas: [&[Row]; 7] =
        [calls::ROWS, libraries::ROWS, opened::ROWS, programs::ROWS, served::ROWS, configuration::ROWS, files::ROWS];
    let names: Vec<&str> = areas.iter().flat_map(|area| area.iter().map(|row| row.name)).collect();
    let mut once = names.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), names.len(), "two rows have one name");
    assert!(names.len() >= 60, "{} rows", names.len());
}
