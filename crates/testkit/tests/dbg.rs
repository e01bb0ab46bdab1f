use testkit::*;
#[test]
fn dbg() {
    let sim = Sim::seed(13);
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    ann.dials("101");
    sim.run_for(secs(1));
    bob.answers();
    sim.run_for(secs(10));
    sim.kill();
    sim.run_for(secs(3));
    println!("{:#?}", sim.cdrs());
}
