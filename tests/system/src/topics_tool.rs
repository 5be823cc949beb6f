//! topics_tool
