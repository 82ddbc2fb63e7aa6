# complete.fish SCRIPT LINES: what fish completes with SCRIPT at the end of each of LINES.
source $argv[1]
while read -l line
    echo "== $line"
    # What stands behind the tab says what it is for.
    complete -C "$line" | string replace -r '\t.*' ''
end <$argv[2]
exit 0 # and not what string says when it has replaced nothing
