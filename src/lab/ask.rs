//! The question of a lab, asked at a terminal.

use std::io::{self, BufRead};

use anyhow::{Result, bail};

use crate::lang::Lang;

/// Asks which of so many answers is predicted; `None`: the learner would rather not say.
///
/// # Errors
/// Standard input ends, or cannot be read.
pub fn ask(choices: usize, lang: Lang) -> Result<Option<usize>> {
    eprintln!();
    loop {
        eprint!("{} (1-{choices}) ", lang.pick("your prediction?", "你的预测？"));
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            // Ctrl-D leaves the cursor behind the question.
            eprintln!();
            bail!(lang.pick(
                "no prediction was given: --no-ask goes on without one",
                "没有给出预测：--no-ask 可以不预测就继续",
            ));
        }
        match line.trim().parse() {
            Ok(n) if (1..=choices).contains(&n) => return Ok(Some(n)),
            _ if line.trim().is_empty() => return Ok(None),
            _ => match lang {
                Lang::En => eprintln!("type a number from 1 to {choices}, or Enter for none"),
                Lang::Zh => eprintln!("请输入 1 到 {choices} 的数字，不预测就直接按 Enter"),
            },
        }
    }
}
