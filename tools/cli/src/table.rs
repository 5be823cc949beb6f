//! Tables as Kafka's tools print them: columns as wide as their widest cell, left-aligned. Pure.

/// `header` and `rows`, each a line, every column padded to its widest cell and followed by a tab
/// (`ToolsUtils.prettyPrintTable`).
pub fn padded(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(header.get(column).map(|name| name.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).map(|(cell, &width)| format!("{cell:width$}\t"));
        padded.collect::<String>() + "\n"
    };
    let mut text = line(&mut header.iter().copied());
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

/// Cells at fixed widths (`%-N`), joined by a blank; a longer cell pushes the rest to the right.
pub fn fixed(cells: &[(&str, usize)]) -> String {
    let padded = cells.iter().map(|(cell, width)| format!("{cell:width$}"));
    padded.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![vec!["1".to_owned(), "long".to_owned()], vec!["1000".to_owned(), "x".to_owned()]];
        assert_eq!(padded(&["Id", "Name"], &rows), "Id  \tName\t\n1   \tlong\t\n1000\tx   \t\n");
        assert_eq!(padded(&["Id"], &[]), "Id\t\n");
    }

    #[test]
    fn fixed_widths_are_minimums() {
        assert_eq!(fixed(&[("ab", 4), ("toolong", 3), ("c", 2)]), "ab   toolong c ");
    }
}
