//! The Damm check digit (H. M. Damm, *Total anti-symmetrische Quasigruppen*, 2004): one digit
//! that catches every single wrong digit and every swap of neighbours.

/// The quasigroup of order 10 from Damm's thesis. Its zero diagonal is what lets the check digit
/// be part of the sum: a whole number with a right check digit ends in state 0.
const TABLE: [[u8; 10]; 10] = [
    [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
    [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
    [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
    [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
    [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
    [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
    [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
    [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
    [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
    [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
];

/// The digit (0..=9) that makes `digits` followed by it well-formed; 0 means that `digits` ends
/// in its own check digit. `digits` are ASCII digits.
pub(crate) fn check_digit(digits: &[u8]) -> u8 {
    digits.iter().fold(0, |state, digit| {
        TABLE[usize::from(state)][usize::from(digit.wrapping_sub(b'0') % 10)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_example() {
        assert_eq!(check_digit(b"572"), 4);
        assert_eq!(check_digit(b"5724"), 0);
    }

    /// The properties of the table from which every length follows: a wrong digit changes the
    /// state and can't be undone by equal digits after it; swapped neighbours end in two states.
    #[test]
    fn the_table_tells_every_single_error_and_every_swap() {
        for row in TABLE {
            let mut seen = row;
            seen.sort_unstable();
            assert_eq!(
                seen,
                [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
                "a digit's row is no permutation"
            );
        }
        for column in 0..10 {
            let mut seen = TABLE.map(|row| row[column]);
            seen.sort_unstable();
            assert_eq!(
                seen,
                [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
                "states may meet again"
            );
        }
        for state in 0..10 {
            for (x, y) in (0..100).map(|pair| (pair / 10, pair % 10)) {
                if x == y {
                    assert_eq!(TABLE[x][x], 0);
                } else {
                    let after = |a: usize, b: usize| TABLE[usize::from(TABLE[state][a])][b];
                    assert_ne!(after(x, y), after(y, x), "state {state}, {x} and {y}");
                }
            }
        }
    }
}
