use super::*;

const NOW: Mono = Mono(1_000_000);
const ONE: Fingerprint = Fingerprint([1; 32]);
const OTHER: Fingerprint = Fingerprint([2; 32]);

fn key(tenant: u64, key: &str) -> KeyOf {
    KeyOf { tenant: TenantId(tenant), user: UserId(tenant), key: key.into() }
}

fn answer(bytes: usize) -> Kept {
    let headers = Vec::new();
    Kept { status: StatusCode::OK, headers, body: Bytes::from(vec![b'x'; bytes]) }
}

/// A request that is done at once.
fn done(answers: &FirstAnswers, of: KeyOf, bytes: usize, now: Mono) {
    assert_eq!(answers.begin(of.clone(), ONE, now), Begun::First);
    answers.keep(of, answer(bytes), now);
}

fn is_kept(answers: &FirstAnswers, of: KeyOf) -> bool {
    let kept = matches!(answers.begin(of.clone(), ONE, NOW), Begun::Again(_));
    if !kept {
        answers.forget(&of);
    }
    kept
}

/// That the sums are those of what is there.
fn assert_counted(answers: &FirstAnswers) {
    let table = answers.lock();
    let costs = |tenant: Option<TenantId>| -> (usize, usize) {
        let all = table.requests.iter().filter(|(of, _)| tenant.is_none_or(|t| of.tenant == t));
        let kept = all.filter_map(|(of, known)| Some(cost(of, &known.answer.as_ref()?.kept)));
        kept.fold((0, 0), |(number, bytes), cost| (number + 1, bytes + cost))
    };
    assert_eq!((table.answers.len(), table.bytes), costs(None));
    for (tenant, share) in &table.clients {
        assert_eq!((share.numbers.len(), share.bytes), costs(Some(*tenant)), "{tenant}");
    }
    assert_eq!(table.in_progress + table.answers.len(), table.requests.len());
}

#[test]
fn a_request_is_first_then_in_progress_then_done() {
    let answers = FirstAnswers::default();
    assert_eq!(answers.begin(key(1, "a"), ONE, NOW), Begun::First);
    assert_eq!(answers.begin(key(1, "a"), ONE, NOW), Begun::InProgress);
    assert_eq!(answers.begin(key(1, "a"), OTHER, NOW), Begun::OtherRequest);
    answers.keep(key(1, "a"), answer(3), NOW);
    assert_eq!(answers.begin(key(1, "a"), ONE, NOW), Begun::Again(Arc::new(answer(3))));
    assert_eq!(answers.begin(key(1, "a"), OTHER, NOW), Begun::OtherRequest);
    let of_another_user = KeyOf { user: UserId(9), ..key(1, "a") };
    assert_eq!(answers.begin(of_another_user, OTHER, NOW), Begun::First);
    assert_counted(&answers);
}

#[test]
fn what_has_no_answer_worth_keeping_may_be_tried_again() {
    let answers = FirstAnswers::default();
    assert_eq!(answers.begin(key(1, "a"), ONE, NOW), Begun::First);
    answers.forget(&key(1, "a"));
    assert_eq!(answers.begin(key(1, "a"), OTHER, NOW), Begun::First);
    answers.keep(key(1, "a"), answer(ANSWER_BYTES_MAX + 1), NOW);
    assert_eq!(answers.begin(key(1, "a"), ONE, NOW), Begun::First);
    assert_counted(&answers);
}

#[test]
fn an_answer_is_forgotten_after_a_day() {
    let answers = FirstAnswers::default();
    done(&answers, key(1, "a"), 1, NOW);
    let day = Mono(NOW.0 + 86_400_000_000);
    let before = Mono(day.0 - 1);
    assert!(matches!(answers.begin(key(1, "a"), ONE, before), Begun::Again(_)));
    assert_eq!(answers.begin(key(1, "a"), OTHER, day), Begun::First);
    assert_counted(&answers);
}

#[test]
fn a_client_that_fills_its_share_loses_its_own_oldest_answers_alone() {
    let answers = FirstAnswers::default();
    done(&answers, key(1, "of another"), 1, NOW);
    done(&answers, key(2, "oldest"), 1, NOW);
    done(&answers, key(2, "second"), 1, NOW);
    for n in 0..ANSWERS_OF_CLIENT.number - 1 {
        done(&answers, key(2, &n.to_string()), 1, NOW);
    }
    let kept = ["oldest", "second"].map(|name| is_kept(&answers, key(2, name)));
    assert_eq!((kept, is_kept(&answers, key(1, "of another"))), ([false, true], true));
    assert_counted(&answers);
    // The same by bytes.
    for n in 0..ANSWERS_OF_CLIENT.bytes / ANSWER_BYTES_MAX {
        done(&answers, key(2, &format!("large {n}")), ANSWER_BYTES_MAX, NOW);
    }
    assert!(!is_kept(&answers, key(2, "second")) && is_kept(&answers, key(1, "of another")));
    assert!(answers.lock().clients[&TenantId(2)].bytes <= ANSWERS_OF_CLIENT.bytes);
    assert_counted(&answers);
}

#[test]
fn all_clients_together_lose_the_oldest_answer_of_all() {
    let answers = FirstAnswers::default();
    done(&answers, key(1, "oldest"), 1, NOW);
    let each = ANSWERS_OF_CLIENT.bytes / ANSWER_BYTES_MAX - 1;
    for tenant in 2..=2 + u64::try_from(ANSWERS.bytes / (each * ANSWER_BYTES_MAX)).unwrap() {
        for n in 0..each {
            done(&answers, key(tenant, &n.to_string()), ANSWER_BYTES_MAX, NOW);
        }
    }
    assert!(answers.lock().bytes <= ANSWERS.bytes);
    done(&answers, key(99, "newest"), ANSWER_BYTES_MAX, NOW);
    done(&answers, key(98, "newest"), ANSWER_BYTES_MAX, NOW);
    assert!(!is_kept(&answers, key(1, "oldest")) && is_kept(&answers, key(99, "newest")));
    assert!(answers.lock().bytes <= ANSWERS.bytes);
    assert_counted(&answers);
}

#[test]
fn only_so_many_requests_with_keys_are_worked_on_at_a_time() {
    let answers = FirstAnswers::default();
    for n in 0..KEYS_AT_ONCE {
        assert_eq!(answers.begin(key(1, &n.to_string()), ONE, NOW), Begun::First);
    }
    assert_eq!(answers.begin(key(2, "more"), ONE, NOW), Begun::Full);
    answers.forget(&key(1, "0"));
    assert_eq!(answers.begin(key(2, "more"), ONE, NOW), Begun::First);
    assert_counted(&answers);
}
