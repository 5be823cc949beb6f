//! Where Gregor may answer otherwise than Kafka, and why. What is not here must be equal.

/// A difference that is meant.
struct Allowed {
    /// What the question begins with; empty for every question.
    question: &'static str,
    /// What the field's path ends with.
    field: &'static str,
    /// Whether these two values may stand against each other: Gregor's, then Kafka's.
    values: fn(&str, &str) -> bool,
    /// Why.
    reason: &'static str,
}

const ALLOWED: &[Allowed] = &[
    Allowed {
        question: "DescribeConfigs",
        field: "].documentation",
        values: |gregor, kafka| is_text(gregor) && is_text(kafka),
        reason: "Kafka's texts are Kafka's; ours say the same in other words",
    },
    Allowed {
        question: "",
        field: ".error_message",
        values: |gregor, kafka| {
            let reason = gregor.trim_matches('"');
            !reason.is_empty()
                && (kafka.starts_with("\"requirement failed: ")
                    || kafka.contains("for configuration Invalid dynamic configuration"))
                && kafka.contains(reason)
        },
        reason: "Scala's and Java's frames around a reason help nobody",
    },
    Allowed {
        question: "",
        field: "error_code",
        values: |gregor, kafka| matches!(gregor, "39" | "40" | "42") && kafka == "-1",
        reason: "where Kafka runs into an exception of its own, Gregor says what is wrong with the request",
    },
    Allowed {
        question: "",
        field: "error_message",
        values: |gregor, kafka| is_text(gregor) && kafka == "None",
        reason: "the message beside the above",
    },
    Allowed {
        question: "ElectLeaders of an unknown kind",
        field: "error_code",
        values: |gregor, kafka| gregor == "42" && kafka == "-1",
        reason: "the same, of the whole answer",
    },
    Allowed {
        question: "",
        field: ".error_message",
        values: |gregor, kafka| {
            is_text(gregor) && (kafka.contains("/ by zero") || kafka.contains("begin 0, end -1"))
        },
        reason: "the message of a Java exception",
    },
    Allowed {
        question: "",
        field: ".error_message",
        values: |gregor, kafka| {
            gregor.contains("Java classes cannot be loaded") && kafka.contains("failed with class")
        },
        reason: "there are no Java classes to load",
    },
    Allowed {
        question: "IncrementalAlterConfigs of logger",
        field: ".error_message",
        values: |gregor, kafka| {
            gregor.contains("Unexpected broker id") && kafka.contains("Expected 0, but received 0")
        },
        reason: "Kafka names its own id twice",
    },
];

/// Whether a difference is in the table.
pub fn is_allowed(question: &str, field: &str, gregor: Option<&String>, kafka: Option<&String>) -> bool {
    let (Some(gregor), Some(kafka)) = (gregor, kafka) else { return false };
    ALLOWED.iter().any(|Allowed { question: begin, field: end, values, reason }| {
        let allowed = question.starts_with(begin) && field.ends_with(end) && values(gregor, kafka);
        if allowed && std::env::var_os("GREGOR_TELL").is_some() {
            println!("allowed ({reason}): {question}: {field}: {gregor} | {kafka}");
        }
        allowed
    })
}

/// A text that is not empty.
fn is_text(value: &str) -> bool {
    value.len() > "\"\"".len() && value.starts_with('"')
}
