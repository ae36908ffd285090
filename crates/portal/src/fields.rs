//! The fields of a form or of a query.

use std::{collections::HashSet, fmt};

/// Name and value, in the order in which they came.
#[derive(Clone, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `application/x-www-form-urlencoded`; total, as the URL standard has it.
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The first of that name; empty where there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value)
    }

    /// All of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.0.iter().filter(move |(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A name that is there more than once.
    pub(crate) fn twice(&self) -> Option<&str> {
        let mut names = HashSet::new();
        let mut all = self.0.iter().map(|(name, _)| name.as_str());
        all.find(|name| !names.insert(*name))
    }

    /// A number; 0 where there is none.
    pub(crate) fn number(&self, name: &str) -> u64 {
        // The databases' numbers end here.
        let number = self.get(name).parse::<i64>().unwrap_or(0);
        u64::try_from(number).unwrap_or(0)
    }
}

impl fmt::Debug for Fields {
    /// There are passwords among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fields(**********)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read() {
        let fields = Fields::parse(b"a=1&b=x+y%26&a=2&n=12&far=99999999999999999999&less=-4");
        let check = |name, expected| assert_eq!(fields.get(name), expected, "{name}");
        check("a", "1");
        check("b", "x y&");
        check("c", "");
        assert_eq!(fields.twice(), Some("a"));
        assert_eq!(Fields::parse(b"a=1&b=1").twice(), None);
        assert_eq!(fields.number("n"), 12);
        assert_eq!((fields.number("far"), fields.number("less")), (0, 0));
        assert!(!format!("{fields:?}").contains("x y"));
    }
}
