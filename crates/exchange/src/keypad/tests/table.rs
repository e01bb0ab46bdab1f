//! Every state with every input.

use expect_test::expect;

use super::{codes, key, shown};
use crate::keypad::{Heard, Keypad, Listening};

#[test]
fn every_state_has_an_answer_to_every_input() {
    let states = ["", "#", "*", "*3", "#1", "#112", "*2", "*212", "*33"];
    let mut table = String::new();
    for listening in [Listening::Talking, Listening::Consulting] {
        for state in states {
            let mut keypad = Keypad::default();
            for digit in state.chars() {
                keypad.pressed(key(digit), &codes(), Listening::Talking);
            }
            let mut line = |input: &str, keypad: &Keypad, heard: &Heard| {
                let name = format!("{keypad:?}");
                let name = name.split([' ', '(']).next().unwrap_or("").to_owned();
                table += &format!(
                    "{listening:?} {:5} {input:>5}: {} -> {name}\n",
                    format!("'{state}'"),
                    shown(heard),
                );
            };
            for digit in "0123459*#A".chars() {
                let mut after = keypad.clone();
                let heard = after.pressed(key(digit), &codes(), listening);
                assert_eq!(heard.wait.is_some(), after != Keypad::Idle, "{state} {digit}");
                line(&digit.to_string(), &after, &heard);
            }
            let mut after = keypad.clone();
            let heard = after.waited();
            assert_eq!((heard.wait, &after), (None, &Keypad::Idle), "{state} waited");
            line("time", &after, &heard);
            let mut after = keypad.clone();
            let heard = after.given_up();
            assert_eq!((heard.wait, &heard.code, &after), (None, &None, &Keypad::Idle));
            line("leave", &after, &heard);
        }
    }
    expect![[r#"
        Talking ''        0: pass 0 -> Idle
        Talking ''        1: pass 1 -> Idle
        Talking ''        2: pass 2 -> Idle
        Talking ''        3: pass 3 -> Idle
        Talking ''        4: pass 4 -> Idle
        Talking ''        5: pass 5 -> Idle
        Talking ''        9: pass 9 -> Idle
        Talking ''        *: wait 1 -> Code
        Talking ''        #: wait 1 -> Code
        Talking ''        A: pass A -> Idle
        Talking ''     time: - -> Idle
        Talking ''    leave: - -> Idle
        Talking '#'       0: pass #0 -> Idle
        Talking '#'       1: wait 3 -> Number
        Talking '#'       2: pass #2 -> Idle
        Talking '#'       3: pass #3 -> Idle
        Talking '#'       4: pass #4 -> Idle
        Talking '#'       5: pass #5 -> Idle
        Talking '#'       9: pass #9 -> Idle
        Talking '#'       *: pass #, wait 1 -> Code
        Talking '#'       #: pass #, wait 1 -> Code
        Talking '#'       A: pass #A -> Idle
        Talking '#'    time: pass # -> Idle
        Talking '#'   leave: pass # -> Idle
        Talking '*'       0: pass *0 -> Idle
        Talking '*'       1: pass *1 -> Idle
        Talking '*'       2: wait 3 -> Number
        Talking '*'       3: wait 3 -> Code
        Talking '*'       4: pass *4 -> Idle
        Talking '*'       5: pass *5 -> Idle
        Talking '*'       9: pass *9 -> Idle
        Talking '*'       *: pass *, wait 1 -> Code
        Talking '*'       #: pass *, wait 1 -> Code
        Talking '*'       A: pass *A -> Idle
        Talking '*'    time: pass * -> Idle
        Talking '*'   leave: pass * -> Idle
        Talking '*3'      0: pass *30 -> Idle
        Talking '*3'      1: pass *31 -> Idle
        Talking '*3'      2: pass *32 -> Idle
        Talking '*3'      3: wait 3 -> Slot
        Talking '*3'      4: pass *34 -> Idle
        Talking '*3'      5: pass *35 -> Idle
        Talking '*3'      9: pass *39 -> Idle
        Talking '*3'      *: pass *3, wait 1 -> Code
        Talking '*3'      #: pass *3, wait 1 -> Code
        Talking '*3'      A: pass *3A -> Idle
        Talking '*3'   time: pass *3 -> Idle
        Talking '*3'  leave: pass *3 -> Idle
        Talking '#1'      0: wait 3 -> Number
        Talking '#1'      1: wait 3 -> Number
        Talking '#1'      2: wait 3 -> Number
        Talking '#1'      3: wait 3 -> Number
        Talking '#1'      4: wait 3 -> Number
        Talking '#1'      5: wait 3 -> Number
        Talking '#1'      9: wait 3 -> Number
        Talking '#1'      *: wait 3 -> Number
        Talking '#1'      #: pass #1, wait 1 -> Code
        Talking '#1'      A: pass #1A -> Idle
        Talking '#1'   time: pass #1 -> Idle
        Talking '#1'  leave: pass #1 -> Idle
        Talking '#112'     0: wait 3 -> Number
        Talking '#112'     1: wait 3 -> Number
        Talking '#112'     2: wait 3 -> Number
        Talking '#112'     3: wait 3 -> Number
        Talking '#112'     4: wait 3 -> Number
        Talking '#112'     5: wait 3 -> Number
        Talking '#112'     9: wait 3 -> Number
        Talking '#112'     *: wait 3 -> Number
        Talking '#112'     #: TRANSFER 12 -> Idle
        Talking '#112'     A: pass #112A -> Idle
        Talking '#112'  time: TRANSFER 12 -> Idle
        Talking '#112' leave: pass #112 -> Idle
        Talking '*2'      0: wait 3 -> Number
        Talking '*2'      1: wait 3 -> Number
        Talking '*2'      2: wait 3 -> Number
        Talking '*2'      3: wait 3 -> Number
        Talking '*2'      4: wait 3 -> Number
        Talking '*2'      5: wait 3 -> Number
        Talking '*2'      9: wait 3 -> Number
        Talking '*2'      *: wait 3 -> Number
        Talking '*2'      #: pass *2, wait 1 -> Code
        Talking '*2'      A: pass *2A -> Idle
        Talking '*2'   time: pass *2 -> Idle
        Talking '*2'  leave: pass *2 -> Idle
        Talking '*212'     0: wait 3 -> Number
        Talking '*212'     1: wait 3 -> Number
        Talking '*212'     2: wait 3 -> Number
        Talking '*212'     3: wait 3 -> Number
        Talking '*212'     4: wait 3 -> Number
        Talking '*212'     5: wait 3 -> Number
        Talking '*212'     9: wait 3 -> Number
        Talking '*212'     *: wait 3 -> Number
        Talking '*212'     #: ATTENDED 12 -> Idle
        Talking '*212'     A: pass *212A -> Idle
        Talking '*212'  time: ATTENDED 12 -> Idle
        Talking '*212' leave: pass *212 -> Idle
        Talking '*33'     0: pass *330 -> Idle
        Talking '*33'     1: PARK 1 -> Idle
        Talking '*33'     2: PARK 2 -> Idle
        Talking '*33'     3: PARK 3 -> Idle
        Talking '*33'     4: PARK 4 -> Idle
        Talking '*33'     5: PARK 5 -> Idle
        Talking '*33'     9: PARK 9 -> Idle
        Talking '*33'     *: pass *33, wait 1 -> Code
        Talking '*33'     #: PARK -> Idle
        Talking '*33'     A: pass *33A -> Idle
        Talking '*33'  time: PARK -> Idle
        Talking '*33' leave: pass *33 -> Idle
        Consulting ''        0: pass 0 -> Idle
        Consulting ''        1: pass 1 -> Idle
        Consulting ''        2: pass 2 -> Idle
        Consulting ''        3: pass 3 -> Idle
        Consulting ''        4: pass 4 -> Idle
        Consulting ''        5: pass 5 -> Idle
        Consulting ''        9: pass 9 -> Idle
        Consulting ''        *: wait 1 -> Code
        Consulting ''        #: pass # -> Idle
        Consulting ''        A: pass A -> Idle
        Consulting ''     time: - -> Idle
        Consulting ''    leave: - -> Idle
        Consulting '#'       0: pass #0 -> Idle
        Consulting '#'       1: pass #1 -> Idle
        Consulting '#'       2: pass #2 -> Idle
        Consulting '#'       3: pass #3 -> Idle
        Consulting '#'       4: pass #4 -> Idle
        Consulting '#'       5: pass #5 -> Idle
        Consulting '#'       9: pass #9 -> Idle
        Consulting '#'       *: pass #, wait 1 -> Code
        Consulting '#'       #: pass ## -> Idle
        Consulting '#'       A: pass #A -> Idle
        Consulting '#'    time: pass # -> Idle
        Consulting '#'   leave: pass # -> Idle
        Consulting '*'       0: pass *0 -> Idle
        Consulting '*'       1: pass *1 -> Idle
        Consulting '*'       2: BACK -> Idle
        Consulting '*'       3: pass *3 -> Idle
        Consulting '*'       4: pass *4 -> Idle
        Consulting '*'       5: pass *5 -> Idle
        Consulting '*'       9: pass *9 -> Idle
        Consulting '*'       *: pass *, wait 1 -> Code
        Consulting '*'       #: pass *# -> Idle
        Consulting '*'       A: pass *A -> Idle
        Consulting '*'    time: pass * -> Idle
        Consulting '*'   leave: pass * -> Idle
        Consulting '*3'      0: pass *30 -> Idle
        Consulting '*3'      1: pass *31 -> Idle
        Consulting '*3'      2: pass *32 -> Idle
        Consulting '*3'      3: pass *33 -> Idle
        Consulting '*3'      4: pass *34 -> Idle
        Consulting '*3'      5: pass *35 -> Idle
        Consulting '*3'      9: pass *39 -> Idle
        Consulting '*3'      *: pass *3, wait 1 -> Code
        Consulting '*3'      #: pass *3# -> Idle
        Consulting '*3'      A: pass *3A -> Idle
        Consulting '*3'   time: pass *3 -> Idle
        Consulting '*3'  leave: pass *3 -> Idle
        Consulting '#1'      0: wait 3 -> Number
        Consulting '#1'      1: wait 3 -> Number
        Consulting '#1'      2: wait 3 -> Number
        Consulting '#1'      3: wait 3 -> Number
        Consulting '#1'      4: wait 3 -> Number
        Consulting '#1'      5: wait 3 -> Number
        Consulting '#1'      9: wait 3 -> Number
        Consulting '#1'      *: wait 3 -> Number
        Consulting '#1'      #: pass #1# -> Idle
        Consulting '#1'      A: pass #1A -> Idle
        Consulting '#1'   time: pass #1 -> Idle
        Consulting '#1'  leave: pass #1 -> Idle
        Consulting '#112'     0: wait 3 -> Number
        Consulting '#112'     1: wait 3 -> Number
        Consulting '#112'     2: wait 3 -> Number
        Consulting '#112'     3: wait 3 -> Number
        Consulting '#112'     4: wait 3 -> Number
        Consulting '#112'     5: wait 3 -> Number
        Consulting '#112'     9: wait 3 -> Number
        Consulting '#112'     *: wait 3 -> Number
        Consulting '#112'     #: TRANSFER 12 -> Idle
        Consulting '#112'     A: pass #112A -> Idle
        Consulting '#112'  time: TRANSFER 12 -> Idle
        Consulting '#112' leave: pass #112 -> Idle
        Consulting '*2'      0: wait 3 -> Number
        Consulting '*2'      1: wait 3 -> Number
        Consulting '*2'      2: wait 3 -> Number
        Consulting '*2'      3: wait 3 -> Number
        Consulting '*2'      4: wait 3 -> Number
        Consulting '*2'      5: wait 3 -> Number
        Consulting '*2'      9: wait 3 -> Number
        Consulting '*2'      *: wait 3 -> Number
        Consulting '*2'      #: pass *2# -> Idle
        Consulting '*2'      A: pass *2A -> Idle
        Consulting '*2'   time: pass *2 -> Idle
        Consulting '*2'  leave: pass *2 -> Idle
        Consulting '*212'     0: wait 3 -> Number
        Consulting '*212'     1: wait 3 -> Number
        Consulting '*212'     2: wait 3 -> Number
        Consulting '*212'     3: wait 3 -> Number
        Consulting '*212'     4: wait 3 -> Number
        Consulting '*212'     5: wait 3 -> Number
        Consulting '*212'     9: wait 3 -> Number
        Consulting '*212'     *: wait 3 -> Number
        Consulting '*212'     #: ATTENDED 12 -> Idle
        Consulting '*212'     A: pass *212A -> Idle
        Consulting '*212'  time: ATTENDED 12 -> Idle
        Consulting '*212' leave: pass *212 -> Idle
        Consulting '*33'     0: pass *330 -> Idle
        Consulting '*33'     1: PARK 1 -> Idle
        Consulting '*33'     2: PARK 2 -> Idle
        Consulting '*33'     3: PARK 3 -> Idle
        Consulting '*33'     4: PARK 4 -> Idle
        Consulting '*33'     5: PARK 5 -> Idle
        Consulting '*33'     9: PARK 9 -> Idle
        Consulting '*33'     *: pass *33, wait 1 -> Code
        Consulting '*33'     #: PARK -> Idle
        Consulting '*33'     A: pass *33A -> Idle
        Consulting '*33'  time: PARK -> Idle
        Consulting '*33' leave: pass *33 -> Idle
    "#]]
    .assert_eq(&table);
}
