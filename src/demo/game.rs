//! The rules of the subtraction game. Pure: knows no phone, and its chance comes from a seed.

use rand::{Rng, SeedableRng, rngs::StdRng};

/// How hard the sums are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// Within 0 and 9.
    #[default]
    Digits,
    /// Within 0 and 20.
    Twenty,
}

/// What is asked: one number less another. No answer is below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// What there is.
    pub from: u8,
    /// What is taken away.
    pub take: u8,
}

/// One game.
#[derive(Debug)]
pub struct Game {
    level: Level,
    chance: StdRng,
    left: usize,
    asked: usize,
    right: usize,
}

impl Level {
    /// The largest number that comes up.
    pub const fn largest(self) -> u8 {
        match self {
            Self::Digits => 9,
            Self::Twenty => 20,
        }
    }

    /// How many digits an answer has at most.
    pub const fn answer_digits(self) -> u32 {
        match self {
            Self::Digits => 1,
            Self::Twenty => 2,
        }
    }
}

impl Sum {
    /// What is left.
    pub const fn answer(self) -> u8 {
        self.from - self.take
    }
}

impl Game {
    /// A game of so many sums; the same seed gives the same sums.
    pub fn new(level: Level, sums: usize, seed: u64) -> Self {
        Self { level, chance: StdRng::seed_from_u64(seed), left: sums, asked: 0, right: 0 }
    }

    /// The next sum; `None` when the game is over.
    pub fn next_sum(&mut self) -> Option<Sum> {
        self.left = self.left.checked_sub(1)?;
        // Taking nothing away would be no sum.
        let from = self.chance.random_range(1..=self.level.largest());
        Some(Sum { from, take: self.chance.random_range(1..=from) })
    }

    /// Counts an answer, as it was typed, and tells whether it is right.
    pub fn judge(&mut self, sum: Sum, typed: &str) -> bool {
        let right = typed.parse() == Ok(sum.answer());
        self.asked += 1;
        self.right += usize::from(right);
        right
    }

    /// Right answers.
    pub const fn right(&self) -> usize {
        self.right
    }

    /// Answers in all.
    pub const fn asked(&self) -> usize {
        self.asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_stay_within_their_level() {
        for level in [Level::Digits, Level::Twenty] {
            let mut game = Game::new(level, 1_000, 7);
            let sums: Vec<_> = std::iter::from_fn(|| game.next_sum()).collect();
            assert_eq!(sums.len(), 1_000);
            for sum in sums {
                assert!(
                    sum.take >= 1 && sum.take <= sum.from && sum.from <= level.largest(),
                    "{sum:?}"
                );
                assert!(sum.answer().to_string().len() <= level.answer_digits() as usize);
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_sums() {
        let sums = |seed| {
            let mut game = Game::new(Level::Twenty, 10, seed);
            std::iter::from_fn(move || game.next_sum()).collect::<Vec<_>>()
        };
        assert_eq!(sums(1), sums(1));
        assert_ne!(sums(1), sums(2));
    }

    #[test]
    fn only_the_right_number_counts() {
        let mut game = Game::new(Level::Twenty, 5, 1);
        let sum = Sum { from: 12, take: 7 };
        let judged = ["5", "05", "6", "", "*5"].map(|typed| game.judge(sum, typed));
        assert_eq!(judged, [true, true, false, false, false]);
        assert_eq!((game.right(), game.asked()), (2, 5));
    }
}
