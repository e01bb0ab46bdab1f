//! The plane and phones around it. One binary, so that it is linked once; what counts allocations
//! is one of its own.

mod chaos;
mod codecs;
mod keys;
mod monitors;
mod moves;
mod outlets;
mod peers;
mod seams;
mod sounds;
mod stage;
mod talk;
mod tones;
