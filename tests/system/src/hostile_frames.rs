//! hostile_frames
