//! Filters of the log. `EnvFilter` takes every word for the name of a target, so that a level with a slip of the pen would
//! switch the log off without a word: what names nothing is refused here.

use tracing_subscriber::EnvFilter;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Names of all crates, one a line.
const CRATES: &str = include_str!(concat!(env!("OUT_DIR"), "/crates.txt"));

/// How alike two words must be (0 to 1) for one to be meant by the other.
const ALIKE: f64 = 0.55;

/// Reads a filter.
///
/// # Errors
/// What it names that is unknown, and what is most like it.
pub(super) fn parse(text: &str) -> Result<EnvFilter, String> {
    let directives = text.split(',').map(str::trim).filter(|directive| !directive.is_empty());
    let directives: Vec<_> = directives.collect();
    if directives.is_empty() {
        return Err(expected());
    }
    directives.iter().copied().try_for_each(check)?;
    EnvFilter::try_new(directives.join(",")).map_err(|_| expected())
}

fn check(directive: &str) -> Result<(), String> {
    let name_ends = directive.find(['[', '=']).unwrap_or(directive.len());
    let (target, rest) = directive.split_at(name_ends);
    // A field may be compared, and that has a sign of equality too.
    let level = rest.rsplit_once(']').map_or(rest, |(_, rest)| rest).strip_prefix('=');
    if let Some(level) = level.filter(|level| !is_level(level)) {
        return Err(unknown(level, LEVELS.into_iter(), "is no level"));
    }
    let library = target.split("::").next().unwrap_or_default();
    let is_bare = rest.is_empty();
    let is_known =
        is_bare && is_level(target) || library.is_empty() && !is_bare || crates().any(|name| name == library);
    match is_known {
        true => Ok(()),
        false if is_bare => Err(unknown(library, LEVELS.into_iter().chain(crates()), "is neither a level nor a crate")),
        false => Err(unknown(library, crates(), "is no crate of this program")),
    }
}

fn is_level(text: &str) -> bool {
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(text)) || matches!(text.as_bytes(), [b'0'..=b'5'])
}

fn crates() -> impl Iterator<Item = &'static str> {
    CRATES.lines()
}

fn unknown(word: &str, known: impl Iterator<Item = &'static str>, problem: &str) -> String {
    let likeness = |name: &str| strsim::normalized_damerau_levenshtein(&word.to_ascii_lowercase(), name);
    let nearest = known.map(|name| (likeness(name), name)).filter(|(alike, _)| *alike >= ALIKE);
    let nearest = nearest.reduce(|best, next| if next.0 > best.0 { next } else { best });
    let hint = nearest.map_or_else(String::new, |(_, name)| format!(" (did you mean {name:?}?)"));
    format!("{}: {word:?} {problem}{hint}", expected())
}

fn expected() -> String {
    format!("must be a level ({}), CRATE=LEVEL or CRATE::MODULE=LEVEL, several with commas", LEVELS.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_nothing_is_refused_with_what_may_be_meant() {
        for (filter, word, meant) in [
            ("inof", "\"inof\" is neither", Some("info")),
            ("DEBGU", "\"DEBGU\" is neither", Some("debug")),
            ("info,ispbridge_gatway=debug", "\"ispbridge_gatway\" is no crate", Some("ispbridge_gateway")),
            ("chassis=warning", "\"warning\" is no level", Some("warn")),
            ("chasis::layers=debug", "\"chasis\" is no crate", Some("chassis")),
            ("warn,zzz", "\"zzz\" is neither", None),
            ("chasis[call{id=1}]=debug", "\"chasis\" is no crate", Some("chassis")),
            ("chassis[call{a=1}]=lound", "\"lound\" is no level", None),
            ("level=info", "\"level\" is no crate", None),
            ("6", "\"6\" is neither", None),
            ("=info,::", "\"\" is neither", None),
            ("chassis=", "\"\" is no level", None),
        ] {
            let error = parse(filter).unwrap_err();
            assert!(
                error.starts_with("must be a level (off, error, warn, info, debug, trace), ") && error.contains(word),
                "{filter}: {error}"
            );
            let hint = meant.map_or_else(String::new, |meant| format!("did you mean {meant:?}"));
            assert!(error.contains(&hint), "{filter}: {error}");
        }
        assert!(!parse("warn,zzz").unwrap_err().contains("did you mean"));
        for filter in ["", " , "] {
            assert!(parse(filter).unwrap_err().starts_with("must be a level"));
        }
    }

    #[test]
    fn what_is_known_is_taken() {
        for filter in [
            "info",
            "WARN",
            "3",
            "off",
            "info,ispbridge_gateway=debug",
            "warn, ispbridge::call=info ,h2=off,",
            "chassis",
            "chassis::layers::observe=trace",
            "chassis[call{id=1}]=debug,info",
            "[call]=debug",
            "opentelemetry_otlp=info",
            "bridge=5",
        ] {
            parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
        }
    }
}
