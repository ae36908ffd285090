//! Forms: fields with what was typed in them, and what is wrong beside each. Nothing that was typed is lost.

use std::fmt;

use askama::Template;

use crate::fields::Fields;

/// A form on a page.
#[derive(Debug)]
pub(crate) struct Form {
    /// Where it is sent.
    pub(crate) action: String,
    /// Fields that nobody sees.
    pub(crate) hidden: Vec<(&'static str, String)>,
    pub(crate) fields: Vec<Field>,
    /// What its button says.
    pub(crate) submit: &'static str,
}

impl Form {
    pub(crate) fn new(action: impl Into<String>, submit: &'static str) -> Self {
        Self {
            action: action.into(),
            hidden: Vec::new(),
            fields: Vec::new(),
            submit,
        }
    }

    pub(crate) fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    pub(crate) fn hidden(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.hidden.push((name, value.into()));
        self
    }

    /// With what was typed, and what is wrong with it.
    pub(crate) fn typed(mut self, typed: &Fields, faults: &Faults) -> Self {
        for field in &mut self.fields {
            field.fill(typed.get(field.name));
            field.error = faults.of(field.name).map(str::to_owned);
        }
        self
    }

    /// The fields that something is wrong with.
    pub(crate) fn wrong(&self) -> Vec<&Field> {
        let mut wrong: Vec<_> = self.fields.iter().collect();
        wrong.retain(|field| field.error.is_some());
        wrong
    }
}

/// How a field looks.
#[derive(Debug)]
enum Kind {
    /// The `type` of an `input`.
    Input(&'static str),
    /// Several lines, so many of which are seen.
    Lines(u8),
    /// One of these: value and label.
    Choice(Vec<(String, String)>),
}

/// A field of a form.
#[derive(Debug, Template)]
#[template(path = "field.html")]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    kind: Kind,
    value: String,
    hint: Option<String>,
    error: Option<String>,
    required: bool,
    /// Whether others stand beside it where the screen is wide.
    short: bool,
    /// What the script puts in, where a browser knows better than we do.
    own: Option<&'static str>,
    autocomplete: &'static str,
}

impl Field {
    fn new(name: &'static str, label: &'static str, kind: Kind) -> Self {
        Self {
            name,
            label,
            kind,
            value: String::new(),
            hint: None,
            error: None,
            required: false,
            short: false,
            own: None,
            autocomplete: "off",
        }
    }

    pub(crate) fn text(name: &'static str, label: &'static str) -> Self {
        Self::input(name, label, "text")
    }

    /// An `input` of that type.
    pub(crate) fn input(name: &'static str, label: &'static str, kind: &'static str) -> Self {
        Self::new(name, label, Kind::Input(kind))
    }

    pub(crate) fn lines(name: &'static str, label: &'static str, rows: u8) -> Self {
        Self::new(name, label, Kind::Lines(rows))
    }

    pub(crate) fn choice<V: Into<String>, L: Into<String>>(
        name: &'static str,
        label: &'static str,
        options: impl IntoIterator<Item = (V, L)>,
    ) -> Self {
        let options = options.into_iter().map(|(v, l)| (v.into(), l.into()));
        Self::new(name, label, Kind::Choice(options.collect()))
    }

    /// On or off.
    pub(crate) fn switch(name: &'static str, label: &'static str) -> Self {
        Self::choice(name, label, [("on", "On"), ("off", "Off")])
    }

    pub(crate) fn value(mut self, value: impl Into<String>) -> Self {
        self.fill(&value.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(crate) fn short(mut self) -> Self {
        self.short = true;
        self
    }

    pub(crate) fn own(mut self, what: &'static str) -> Self {
        self.own = Some(what);
        self
    }

    /// What there is counts, not what the script would put in.
    pub(crate) fn forget_own(&mut self) {
        self.own = None;
    }

    fn fill(&mut self, value: &str) {
        value.clone_into(&mut self.value);
        // A value that isn't offered is the one there is: it must not be lost by sending the form.
        if let Kind::Choice(options) = &mut self.kind
            && !value.is_empty()
            && !options.iter().any(|(offered, _)| offered == value)
        {
            options.push((value.to_owned(), value.to_owned()));
        }
    }

    fn described_by(&self) -> String {
        let error = self.error.as_ref().map(|_| format!("{}-error", self.name));
        let hint = self.hint.as_ref().map(|_| format!("{}-hint", self.name));
        let ids: Vec<_> = [error, hint].into_iter().flatten().collect();
        ids.join(" ")
    }
}

/// What is wrong, by field.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(&'static str, String)>);

impl Faults {
    pub(crate) fn add(&mut self, field: &'static str, why: impl fmt::Display) {
        self.0.push((field, why.to_string()));
    }

    /// What came of a field; where it is wrong, that is noted.
    pub(crate) fn take<T>(
        &mut self,
        field: &'static str,
        read: Result<T, impl fmt::Display>,
    ) -> Option<T> {
        read.map_err(|why| self.add(field, why)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.of(field).is_some()
    }

    #[cfg(test)]
    pub(crate) fn first(&self) -> Option<&'static str> {
        self.0.first().map(|(field, _)| *field)
    }

    fn of(&self, field: &str) -> Option<&str> {
        let found = self.0.iter().find(|(name, _)| *name == field);
        found.map(|(_, why)| why.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_there_again_with_what_is_wrong_beside_it() {
        let typed = Fields::parse(b"title=A+%3Cb%3E&length=61");
        let mut faults = Faults::default();
        let none: Option<()> = faults.take("title", Err("too short"));
        assert!(none.is_none() && !faults.is_empty());
        let form = Form::new("/book", "Book")
            .field(
                Field::text("title", "Title")
                    .hint("What it is about")
                    .required(),
            )
            .field(Field::choice("length", "How long", [("60", "1 h")]))
            .typed(&typed, &faults);
        assert_eq!(form.wrong().len(), 1);
        let html: Vec<_> = form
            .fields
            .iter()
            .map(|field| field.render().unwrap())
            .collect();
        assert!(html[0].contains("value=\"A &#60;b&#62;\""), "{}", html[0]);
        assert!(html[0].contains("aria-describedby=\"title-error title-hint\""));
        assert!(html[0].contains("aria-invalid=\"true\"") && html[0].contains("too short"));
        assert!(
            html[1].contains("<option value=\"61\" selected>61"),
            "{}",
            html[1]
        );
        assert!(html[1].contains("<option value=\"60\">1 h"), "{}", html[1]);
    }
}
