//! A plan as people read it: what is added, changed and taken away.

use crate::cli::screen::Paint;
use crate::cli::table::counted;
use crate::provision::{
    Change, Create, Maker, Misrouted, Plan, Replace, Replacement, Retag, TagChange, Unused,
};
use std::io::{self, Write};

/// Writes all of a plan, and a line that sums it up.
pub(super) fn write(out: &mut dyn Write, plan: &Plan, paint: Paint) -> io::Result<()> {
    for change in &plan.changes {
        match change {
            Change::Create(create) => write_create(out, create, paint)?,
            Change::Tag(retag) => write_retag(out, retag, paint)?,
            Change::Replace(replace) => write_replace(out, replace, paint)?,
            Change::Delete(unused) => write_delete(out, unused, paint)?,
        }
        writeln!(out)?;
    }
    for Unused { arn, service, source, made_by } in &plan.unused {
        let source = source.as_ref().map_or(String::new(), |source| format!(", {source}"));
        let end = match made_by {
            Maker::Tollgate => "--delete-unused deletes it",
            Maker::Others => "made by others, so it stays",
        };
        writeln!(out, "unused: {arn} ({service}{source}): {end}")?;
    }
    for problem in &plan.problems {
        let label = if problem.is_blocking() { paint.warning("problem:") } else { "note:".to_owned() };
        writeln!(out, "{label} {problem}")?;
    }
    if !(plan.unused.is_empty() && plan.problems.is_empty()) {
        writeln!(out)?;
    }
    writeln!(out, "{}", paint.bold(&summary(plan)))
}

/// Says in one line what a plan comes to.
fn summary(plan: &Plan) -> String {
    let settled = counted(plan.settled.len(), "profile");
    if plan.is_empty() {
        return match (plan.settled.is_empty(), plan.problems.is_empty()) {
            (true, true) => {
                "nothing is asked for: name the models of a service with `models` in the services file"
                    .to_owned()
            }
            (false, true) => format!("nothing to do: {settled} as asked for"),
            (_, false) => format!("nothing that can be done: {settled} as asked for"),
        };
    }
    let (mut create, mut tag, mut replace, mut delete) = (0_usize, 0_usize, 0_usize, 0_usize);
    for change in &plan.changes {
        let count = match change {
            Change::Create(_) => &mut create,
            Change::Tag(_) => &mut tag,
            Change::Replace(_) => &mut replace,
            Change::Delete(_) => &mut delete,
        };
        *count = count.saturating_add(1);
    }
    format!("{create} to create, {tag} to tag, {replace} to replace, {delete} to delete; {settled} in place")
}

fn write_create(out: &mut dyn Write, create: &Create, paint: Paint) -> io::Result<()> {
    let Create { service, source, place, name, .. } = create;
    let line = format!("+ {service}  {source}  {}", place.region);
    writeln!(out, "{}  create '{name}'", paint.added(&line))?;
    write_contents(out, create, paint)
}

fn write_contents(out: &mut dyn Write, create: &Create, paint: Paint) -> io::Result<()> {
    writeln!(out, "    from {}", create.copy_from)?;
    create
        .tags
        .iter()
        .try_for_each(|(key, value)| writeln!(out, "    {}", paint.added(&format!("+ {key} = {value}"))))
}

fn write_retag(out: &mut dyn Write, retag: &Retag, paint: Paint) -> io::Result<()> {
    let Retag { arn, service, source, set } = retag;
    writeln!(out, "{}  tag {arn}", paint.warning(&format!("~ {service}  {source}  {}", arn.region())))?;
    set.iter().try_for_each(|(key, TagChange { old, new })| match old {
        None => writeln!(out, "    {}", paint.added(&format!("+ {key} = {new}"))),
        Some(old) => writeln!(out, "    {}", paint.warning(&format!("~ {key} = {new} (was {old})"))),
    })
}

fn write_replace(out: &mut dyn Write, replace: &Replace, paint: Paint) -> io::Result<()> {
    let Replace { service, source, old, by } = replace;
    let by_what = match by {
        Replacement::Create(create) => format!("create '{}'", create.name),
        Replacement::Made(arn) => format!("use {arn}"),
    };
    writeln!(out, "{}  replace: {by_what}", paint.warning(&format!("± {service}  {source}")))?;
    if let Replacement::Create(create) = by {
        write_contents(out, create, paint)?;
    }
    old.iter().try_for_each(|Misrouted { arn, routes_as }| {
        let shown = match routes_as {
            Some(model) => format!("is of {model}"),
            None => "is of another model".to_owned(),
        };
        writeln!(out, "    {}", paint.removed(&format!("- {arn}, which {shown}")))
    })
}

fn write_delete(out: &mut dyn Write, unused: &Unused, paint: Paint) -> io::Result<()> {
    let Unused { arn, service, source, .. } = unused;
    let source = source.as_ref().map_or("-", |source| source.as_str());
    writeln!(out, "{}  delete {arn}", paint.removed(&format!("- {service}  {source}  {}", arn.region())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::profiles::plan::refuse_blocked;
    use crate::provision::tests::sample;

    const SHOWN: &str = "\
+ a  us.v.m  us-west-2  create 'a us-v-m 939bb1f3d65f'
    from arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.v.m
    + Service = a
    + team = of a
    + tollgate:source = us.v.m

~ a  v.m  us-west-2  tag arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/tagged
    ~ team = of a (was of b)
    + tollgate:source = v.m

± a  global.v.m  replace: create 'a global-v-m 44f059a6c904'
    from arn:aws:bedrock:us-west-2:123456789012:inference-profile/global.v.m
    + Service = a
    + team = of a
    + tollgate:source = global.v.m
    - arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/lying, which is of v.lone

- a  v.other  us-west-2  delete arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/unasked

unused: arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/unasked (a, v.other): \
--delete-unused deletes it
problem: service 'a': us-west-2 has no system-defined profile eu.v.m, but global.v.m and us.v.m; correct \
`models`, or plan for a region that has it with --region

1 to create, 1 to tag, 1 to replace, 1 to delete; 1 profile in place
";

    #[test]
    fn every_change_is_shown() {
        let mut out = Vec::new();
        write(&mut out, &sample(), Paint::Plain).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), SHOWN);
        let mut out = Vec::new();
        write(&mut out, &sample(), Paint::Ansi).unwrap();
        let painted = String::from_utf8(out).unwrap();
        for coloured in
            ["\x1b[32m+ a  us.v.m", "\x1b[33m~ a  v.m", "\x1b[31m- arn:", "\x1b[33mproblem:\x1b[0m"]
        {
            assert!(painted.contains(coloured), "{coloured}: {painted}");
        }
        assert!(refuse_blocked(&sample()).is_err());
    }
}
