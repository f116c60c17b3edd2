# Completion of gleaner, gleaner-edge and gleaner-cloud, whichever name this is installed under: what the program's
# own --help lists for the words so far, and files. So it never says what the program doesn't know.
_gleaner() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} so_far=() words i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    # Subcommands only: an option's value is nothing that --help could explain.
    case ${COMP_WORDS[i]} in -*) ;; *) [[ ${COMP_WORDS[i - 1]} == --* ]] || so_far+=("${COMP_WORDS[i]}") ;; esac
  done
  case $before in
    --config | --ca | --export | --password-file | -o | --out | --output | --key | --root | --state)
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
  esac
  words=$("${COMP_WORDS[0]}" "${so_far[@]}" --help 2>/dev/null </dev/null | awk -v word="$word" '
    /^[A-Z][A-Za-z]*:/ { part = $1; next }
    word !~ /^-/ && part == "Subcommands:" && /^  [a-z]/ { print $1 }
    word !~ /^-/ && part == "Positionals:" && /^  DIR / { print "\001" }
    word !~ /^-/ && part == "Positionals:" && /^  FILE/ { print "\002" }
    word ~ /^-/ && part == "Options:" && /^  -/ { gsub(",", " "); for (i = 1; i <= NF && $i ~ /^-/; i++) print $i }')
  # Files, or a folder, are what it takes.
  case $words in *$'\002'*)
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
    return
    ;;
  esac
  if [ "$words" = $'\001' ]; then
    mapfile -t COMPREPLY < <(compgen -d -- "$word")
    return
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _gleaner gleaner gleaner-edge gleaner-cloud
