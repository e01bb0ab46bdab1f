//! What people, programs and operators can do. Every act is written as one line, and means
//! something in every state: what cannot be done then is not done.

use core::fmt;

use crate::phone::manner::Hold;

/// Something that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// At a phone, by its number on the stage; of who is outside, behind all phones.
    At(usize, Does),
    /// A program orders something of a customer's calls.
    Order(Order),
    /// An operator changes something for a customer.
    Set(usize, Setting),
    /// The switch dies after it has done so many things more.
    Kill(u64),
    /// The next input of a step of this kind meets a defect, in the calls of a customer.
    Break(usize, &'static str),
}

/// What a person does at a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Does {
    /// Dials.
    Dials(String),
    /// Takes the call that rings.
    Answers,
    /// Refuses it.
    Refuses(u16),
    /// Hangs up.
    HangsUp,
    /// Holds the other side.
    Holds(Hold),
    /// Takes it back.
    Resumes,
    /// Presses keys.
    Presses(String),
    /// Sends the other side on by REFER.
    Refers(String),
    /// Joins two calls by REFER with Replaces.
    JoinsItsCalls,
    /// Names the dialog of another phone in a REFER.
    RefersToThatOf(usize),
    /// Calls to take the dialog of another phone.
    TakesThatOf(usize),
    /// Watches something.
    Watches(String),
    /// Is registered no more.
    Unregisters,
    /// Is registered.
    Registers,
    /// Its cable comes out.
    Unplugs,
    /// And in again.
    Plugs,
}

/// What a program orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The customer for which the program works.
    pub company: usize,
    /// The customer whose call it names: mostly the same.
    pub calls_of: usize,
    /// The extension.
    pub name: String,
    /// Which call of it: 0 is the newest.
    pub call: usize,
    /// `delete`, or what [`crate::action`] reads.
    pub action: String,
}

/// What an operator changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The rights, as [`crate::company::Company::rights`] reads them.
    Rights(&'static str),
    /// The rules of an extension.
    Rules(String, String),
    /// So many calls at a time for an extension.
    Limit(String, Option<u32>),
    /// So many parking slots.
    Slots(u8),
    /// Where parked calls go that nobody takes.
    Fallback(Option<String>),
    /// Who answers an extension takes calls with a key.
    Screens(String, bool),
    /// So many new and old messages lie in the voicemail of an extension, as the database tells.
    Messages(String, u32, u32),
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::At(phone, does) => write!(f, "phone {phone}: {does:?}"),
            Act::Order(Order { company, calls_of, name, call, action }) => {
                write!(f, "company {company}: {action}, for {name}, its call {call}")?;
                if company == calls_of { Ok(()) } else { write!(f, " of company {calls_of}") }
            }
            Act::Set(company, setting) => write!(f, "company {company}: set {setting:?}"),
            Act::Break(company, step) => write!(f, "company {company}: a defect in {step}"),
            Act::Kill(after) => write!(f, "kill after {after} effects"),
        }
    }
}
