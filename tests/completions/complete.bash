# complete.bash SCRIPT LINES: what bash completes with SCRIPT at the end of each of LINES.
source "$1"
compopt() { :; } # belongs to a completion under way; here there is none
while IFS= read -r line; do
    printf '== %s\n' "$line"
    # As readline takes it apart: at blanks, and at COMP_WORDBREAKS, which has the = sign.
    read -ra COMP_WORDS <<<"${line//=/ = }"
    [[ $line == *[\ ] ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$line COMP_POINT=${#line} COMPREPLY=()
    _netplay netplay "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    ((${#COMPREPLY[@]})) && printf '%s\n' "${COMPREPLY[@]}"
done <"$2"
