//! many_topics
