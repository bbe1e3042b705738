//! Hooks around a swap: called with what was live and what will be, and able to cancel it.

use pitstop_contract::Rule;
use pitstop_tests::Project;

const LOGIC: &str = "logic/src/lib.rs";

#[test]
fn hooks_are_called_around_each_swap_and_one_that_panics_cancels_it() {
    let project = Project::new("panics");
    let mut session = project.live(&[]);
    session.prints("host: must 5");
    project.edit(LOGIC, "    5\n", "    50\n");
    assert_eq!(session.goes_live("logic"), 1);
    session.prints("logic: leaves 0 for 1");
    session.prints("host: logic is 1 after 0");
    session.prints("host: must 50");

    // The new code's own hook: it is taken back.
    let arrive = "\n#[reloadable(after_swap)]\nfn arrive(swap: &Swap) {\n    assert!(swap.to.0 > 2, \"not yet\");\n    \
                  println!(\"logic: {} arrives\", swap.to);\n}\n";
    let text = project.replaced(LOGIC, "    50\n", "    500\n");
    project.write(LOGIC, &(text + arrive));
    let reasons = session.rejected();
    assert_eq!((reasons[0].rule, reasons[0].subject.as_str()), (Rule::Hook, "logic::arrive"), "{reasons:?}");
    assert!(reasons[0].found.contains("not yet") && reasons[0].found.contains(LOGIC), "{reasons:?}");
    project.edit(LOGIC, "    500\n", "    5000\n");
    assert_eq!(session.goes_live("logic"), 3);
    session.prints("logic: leaves 1 for 3");
    session.prints("logic: 3 arrives");
    session.prints("host: logic is 3 after 1");
    session.prints("host: must 5000");
    assert!(session.printed().all(|line| line != "host: must 500"), "what was taken back was called");

    // The old code's hook keeps it.
    project.edit(LOGIC, "println!(\"logic: leaves", "assert!(swap.to.0 < 5, \"busy\");\n    println!(\"logic: leaves");
    assert_eq!(session.goes_live("logic"), 4);
    project.edit(LOGIC, "    5000\n", "    6000\n");
    let reasons = session.rejected();
    assert_eq!((reasons[0].rule, reasons[0].subject.as_str()), (Rule::Hook, "logic::leave"), "{reasons:?}");
    assert!(reasons[0].found.contains("busy"), "{reasons:?}");
    assert!(!session.has_seen("host: must 6000"), "the program goes on with what it has");
}
