//! The table. A row: the situation; then of each part what it hears, parted by `|`.
//!
//! `A` is the extension whose call it is (who holds, parks, transfers, is listened to), `B` its far
//! party, `C` a third one, `M` and `N` are monitors. `-` is silence; `A?`: perhaps `A`, and nobody
//! else; `?` alone: what nobody has promised.

pub(super) const ROWS: &[(&str, &str)] = &[
    // Who talk hear each other, and nobody else does.
    ("talk", "A: B | B: A"),
    // The far party hears the hold music, the extension hears silence; whoever holds, the phone or
    // a program, and the audio is back only when nobody does.
    ("A holds", "A: - | B: music"),
    ("B holds", "A: music | B: -"),
    ("both hold", "A: - | B: -"),
    // Parked is the far party; it hears the hold music.
    ("B is parked", "B: music"),
    // Transferred: the far party hears ringback while the target rings.
    ("B is sent on", "A: - | B: ringback | C: -"),
    ("B talks with C", "B: C | C: B"),
    // Consulting: the far party hears music, the extension is connected with the target.
    ("A calls C about B", "A: ringback | B: music | C: -"),
    ("A consults C", "A: C | B: music | C: A"),
    // A failed transfer, while both are still there: they talk on.
    ("A cannot transfer", "A: error | B: A"),
    // Monitors. They say nothing to anyone; whisper: the extension hears them, the far party never
    // does; conference: both do.
    ("M eavesdrops", "A: B | B: A | M: A B"),
    ("M whispers", "A: B M | B: A | M: A B"),
    ("M joins in", "A: B M | B: A M | M: A B"),
    // While the extension holds it hears silence but for a whisper, and the far party its music. A
    // monitor follows the extension and hears what that hears: not the far party, and the extension
    // only if that says something, which a phone that holds does not.
    ("M eavesdrops, A holds", "A: - | B: music | M: A?"),
    ("M eavesdrops, a program holds for A", "A: - | B: music | M: A"),
    ("M whispers, a program holds for A", "A: M | B: music | M: A"),
    // Also audible while the far party holds.
    ("M eavesdrops, B holds", "A: music | B: - | M: A music"),
    ("M whispers, B holds", "A: music M | B: - | M: A music"),
    ("M joins in, B holds", "A: music M | B: - | M: A music"),
    // A monitor follows the extension's leg into the consultation.
    ("M eavesdrops, A consults C", "A: C | B: music | C: A | M: A C"),
    ("M whispers, A consults C", "A: C M | B: music | C: A | M: A C"),
    // Two of them: who has joined in is one more who talks; who whispers is heard by the extension
    // alone, who listens by nobody.
    ("M eavesdrops, N joins in", "A: B N | B: A N | M: A B N | N: A B"),
    ("M whispers, N whispers", "A: B M N | B: A | M: A B | N: A B"),
    // A conference room: everyone hears everyone but himself.
    ("A, B, C in a room", "A: B C | B: A C | C: A B"),
    ("A, B, C, D in a room", "A: B C D | B: A C D | C: A B D | D: A B C"),
    ("A, B, C, D, E in a room", "A: B C D E | B: A C D E | C: A B D E | D: A B C E | E: A B C D"),
    ("A is alone in a room", "A: music"),
    // Who has not said the code of a room hears what is said to him, and is not heard.
    ("B, C in a room, A at its door", "A: ? | B: C | C: B"),
    ("B is alone in a room, A at its door", "A: ? | B: music"),
    // The echo: the only one who is heard by himself.
    ("A is in the echo", "A: A"),
];
