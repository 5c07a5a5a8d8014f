//! Questions to the ledger that are answered in rounds: whoever asks while a round is under way is in
//! the next one, which answers all who came meanwhile with one statement. So no answer is older than
//! its question, and many clients at once cost as many round trips as a few.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longshore_core::code::Code;
use tokio::sync::oneshot;

use super::problem::{Problem, problem};

/// More than this many wait for the round after the next.
const ROUND_MAX: usize = 64;

/// Longer than a connection and a statement may take: whoever comes later must not wait for a server that
/// went silent.
const ROUND_LASTS_MAX: Duration = Duration::from_secs(60);

/// Rooms in which questions are asked. Those of one room wait for each other, those of two never do.
/// Clones share them.
pub(crate) struct Rounds<Room, Question, Answer>(Arc<Rooms<Room, Question, Answer>>);

/// Who waits in a room while a round is under way; without a round there is no room.
type Rooms<Room, Question, Answer> = Mutex<HashMap<Room, Vec<Asked<Question, Answer>>>>;

struct Asked<Question, Answer> {
    question: Question,
    answer: Reply<Answer>,
}

type Reply<Answer> = oneshot::Sender<Result<Answer, Problem>>;

impl<Room, Question, Answer> Rounds<Room, Question, Answer>
where
    Room: Clone + Eq + Hash + Send + 'static,
    Question: Send + 'static,
    Answer: Send + 'static,
{
    /// The answer of a round that begins from now on; `answer` gives one to each of its questions, in
    /// their order. A problem is everybody's. Whoever gives up before the round begins asked nothing; a
    /// round that has begun goes on, whoever gives up waiting for it.
    pub(crate) async fn ask<Round>(
        &self,
        room: Room,
        question: Question,
        answer: impl Fn(Vec<Question>) -> Round + Send + 'static,
    ) -> Result<Answer, Problem>
    where
        Round: Future<Output = Result<Vec<Answer>, Problem>> + Send,
    {
        let (reply, heard) = oneshot::channel();
        let asked = Asked {
            question,
            answer: reply,
        };
        if let Some(mut begun) = self.enter(room, asked) {
            tokio::spawn(async move {
                while let Some((questions, replies)) = begun.next_round() {
                    let answers = tokio::time::timeout(ROUND_LASTS_MAX, answer(questions)).await;
                    tell(replies, answers.unwrap_or_else(|_| Err(took_too_long())));
                }
            });
        }
        let broken_off = |_| {
            problem(
                Code::InternalError,
                "A fault of Longshore; its log says more.",
            )
        };
        heard.await.unwrap_or_else(|gone| Err(broken_off(gone)))
    }

    /// The room, for whoever is the first in it.
    fn enter(
        &self,
        room: Room,
        asked: Asked<Question, Answer>,
    ) -> Option<Begun<Room, Question, Answer>> {
        match lock(&self.0).entry(room.clone()) {
            Entry::Occupied(mut waiting) => {
                waiting.get_mut().push(asked);
                None
            }
            Entry::Vacant(waiting) => {
                waiting.insert(vec![asked]);
                Some(Begun {
                    rooms: Arc::clone(&self.0),
                    room: Some(room),
                })
            }
        }
    }
}

fn took_too_long() -> Problem {
    tracing::warn!("the ledger did not answer in time");
    let detail =
        "A part of the service did not answer in time. Look at what became of it, or try again.";
    problem(Code::TemporarilyUnavailable, detail).retry_after(5)
}

/// Whoever gave up hears nothing.
fn tell<Answer>(replies: Vec<Reply<Answer>>, answers: Result<Vec<Answer>, Problem>) {
    match answers {
        Ok(answers) => {
            for (reply, answer) in replies.into_iter().zip(answers) {
                let _ = reply.send(Ok(answer));
            }
        }
        Err(problem) => {
            for reply in replies {
                let _ = reply.send(Err(problem.clone()));
            }
        }
    }
}

/// A room in which rounds are held, until nobody waits in it any more. If a round breaks off, whoever
/// is still in it hears that.
struct Begun<Room: Eq + Hash, Question, Answer> {
    rooms: Arc<Rooms<Room, Question, Answer>>,
    room: Option<Room>,
}

type Round<Question, Answer> = (Vec<Question>, Vec<Reply<Answer>>);

impl<Room: Eq + Hash, Question, Answer> Begun<Room, Question, Answer> {
    /// Whoever waits; none: the room is closed, and the next one who comes begins anew.
    fn next_round(&mut self) -> Option<Round<Question, Answer>> {
        let room = self.room.as_ref()?;
        let mut rooms = lock(&self.rooms);
        let waiting = rooms.get_mut(room)?;
        waiting.retain(|asked| !asked.answer.is_closed());
        if waiting.is_empty() {
            rooms.remove(room);
            self.room = None;
            return None;
        }
        let round = waiting.drain(..waiting.len().min(ROUND_MAX));
        Some(round.map(|asked| (asked.question, asked.answer)).unzip())
    }
}

impl<Room: Eq + Hash, Question, Answer> Drop for Begun<Room, Question, Answer> {
    fn drop(&mut self) {
        if let Some(room) = &self.room {
            lock(&self.rooms).remove(room);
        }
    }
}

impl<Room, Question, Answer> Clone for Rounds<Room, Question, Answer> {
    fn clone(&self) -> Self {
        Rounds(Arc::clone(&self.0))
    }
}

impl<Room, Question, Answer> Default for Rounds<Room, Question, Answer> {
    fn default() -> Self {
        Rounds(Arc::default())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    type Numbers = Rounds<&'static str, usize, usize>;

    /// Asks a number; a round waits for a permit, and answers with the double.
    async fn ask(
        rounds: &Numbers,
        room: &'static str,
        number: usize,
        gate: &Arc<Gate>,
    ) -> Result<usize, Code> {
        let gate = Arc::clone(gate);
        let double = move |numbers: Vec<usize>| {
            let gate = Arc::clone(&gate);
            async move {
                gate.begun.fetch_add(1, Ordering::SeqCst);
                gate.open.acquire().await.unwrap().forget();
                assert!(!numbers.contains(&13), "an unlucky round");
                if numbers.contains(&42) {
                    return Err(problem(Code::NotFound, "no such number"));
                }
                Ok(numbers.iter().map(|number| number * 2).collect())
            }
        };
        let answer = rounds.ask(room, number, double).await;
        answer.map_err(|problem| problem.code())
    }

    struct Gate {
        open: Semaphore,
        begun: AtomicUsize,
    }

    fn gate(permits: usize) -> Arc<Gate> {
        Arc::new(Gate {
            open: Semaphore::new(permits),
            begun: AtomicUsize::new(0),
        })
    }

    #[tokio::test]
    async fn whoever_comes_while_a_round_is_under_way_shares_the_next_one() {
        let (rounds, gate) = (Numbers::default(), gate(0));
        let asking = join_all((100..200).map(|number| ask(&rounds, "a", number, &gate)));
        let opening = async {
            while gate.begun.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
            gate.open.add_permits(10);
        };
        let (answers, ()) = tokio::join!(asking, opening);
        let doubles: Vec<_> = (100..200).map(|number| Ok(number * 2)).collect();
        assert_eq!(answers, doubles);
        // All 100 came before the first round was over: it has 64 at most, and 36 are left.
        assert_eq!(gate.begun.load(Ordering::SeqCst), 2);
        assert!(lock(&rounds.0).is_empty());
    }

    #[tokio::test]
    async fn rooms_do_not_wait_for_each_other() {
        let (rounds, closed, open) = (Numbers::default(), gate(0), gate(1));
        let stuck = ask(&rounds, "stuck", 1, &closed);
        tokio::pin!(stuck);
        assert!(futures::poll!(&mut stuck).is_pending());
        assert_eq!(ask(&rounds, "free", 2, &open).await, Ok(4));
        closed.open.add_permits(1);
        assert_eq!(stuck.await, Ok(2));
    }

    #[tokio::test]
    async fn a_round_that_breaks_off_is_told_and_leaves_the_room_open() {
        let (rounds, gate) = (Numbers::default(), gate(9));
        assert_eq!(ask(&rounds, "a", 13, &gate).await, Err(Code::InternalError));
        assert_eq!(ask(&rounds, "a", 1, &gate).await, Ok(2));
    }

    #[tokio::test]
    async fn a_problem_is_told_to_all_of_its_round_and_to_nobody_else() {
        let (rounds, gate) = (Numbers::default(), gate(0));
        let numbers = [1, 42, 2].map(|number| ask(&rounds, "a", number, &gate));
        let (answers, ()) = tokio::join!(join_all(numbers), async { gate.open.add_permits(2) });
        assert_eq!(answers, [Err(Code::NotFound); 3]);
        assert_eq!(ask(&rounds, "a", 3, &gate).await, Ok(6));
    }

    #[tokio::test]
    async fn who_gives_up_takes_nobody_along() {
        let (rounds, gate) = (Numbers::default(), gate(0));
        let mut first = Box::pin(ask(&rounds, "a", 1, &gate));
        assert!(futures::poll!(&mut first).is_pending());
        let mut second = Box::pin(ask(&rounds, "a", 2, &gate));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        gate.open.add_permits(2);
        assert_eq!(second.await, Ok(4));
    }
}
