//! What becomes of a batch after an attempt to send it (`Sender.completeBatch`, `TransactionManager.canRetry`). Pure.

use crate::error_code::ErrorCode;

/// What matters of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// How often it may still be sent.
    pub(super) retries_left: bool,
    /// It has a sequence.
    pub(super) idempotent: bool,
    /// It belongs to a transaction.
    pub(super) transactional: bool,
    /// No batch of its partition before it is waiting or on its way.
    pub(super) oldest: bool,
    /// Whether it could be two batches.
    pub(super) divisible: bool,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is in the log, at the offset told.
    Written,
    /// It is in the log, but nobody knows where.
    WrittenBefore,
    /// It is sent again, perhaps to another leader.
    Retry,
    /// It is sent again in two halves.
    Split,
    /// It is sent again, as all others, from a new producer id: the broker has lost the thread.
    RenewAndRetry,
    /// It failed. A producer that counts sequences needs a new id, because one is missing now.
    Fail,
}

/// Judges an answer.
pub(super) fn of_answer(code: Option<ErrorCode>, attempt: Attempt) -> Verdict {
    let Some(code) = code else { return Verdict::Written };
    match code {
        ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Verdict::WrittenBefore,
        ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE if attempt.divisible => {
            Verdict::Split
        }
        // An older batch is being tried again: this one comes after it.
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER if attempt.idempotent && !attempt.oldest => Verdict::Retry,
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
        | ErrorCode::UNKNOWN_PRODUCER_ID
        | ErrorCode::INVALID_PRODUCER_EPOCH
            if attempt.idempotent && !attempt.transactional && attempt.retries_left =>
        {
            Verdict::RenewAndRetry
        }
        code if code.is_retriable() => of_failure(attempt),
        _ => Verdict::Fail,
    }
}

/// Judges an attempt without an answer.
pub(super) fn of_failure(attempt: Attempt) -> Verdict {
    if attempt.retries_left { Verdict::Retry } else { Verdict::Fail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_a_verdict() {
        let plain = Attempt {
            retries_left: true,
            idempotent: false,
            transactional: false,
            oldest: true,
            divisible: false,
        };
        let idempotent = Attempt { idempotent: true, ..plain };
        let later = Attempt { oldest: false, ..idempotent };
        let last = Attempt { retries_left: false, ..plain };
        let transactional = Attempt { transactional: true, ..idempotent };
        let many = Attempt { divisible: true, ..plain };
        for (code, attempt, expected) in [
            (0, plain, Verdict::Written),
            (46, idempotent, Verdict::WrittenBefore),
            (6, plain, Verdict::Retry),
            (6, last, Verdict::Fail),
            (19, plain, Verdict::Retry),
            (10, plain, Verdict::Fail),
            (10, many, Verdict::Split),
            (18, many, Verdict::Split),
            (45, later, Verdict::Retry),
            (45, idempotent, Verdict::RenewAndRetry),
            (45, transactional, Verdict::Fail),
            (59, idempotent, Verdict::RenewAndRetry),
            (47, transactional, Verdict::Fail),
            (90, transactional, Verdict::Fail),
            (29, plain, Verdict::Fail),
            (87, many, Verdict::Fail),
        ] {
            assert_eq!(of_answer(ErrorCode::from_wire(code), attempt), expected, "{code} {attempt:?}");
        }
        assert_eq!((of_failure(plain), of_failure(last)), (Verdict::Retry, Verdict::Fail));
    }
}
