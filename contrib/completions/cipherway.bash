# Completion of cipherway for bash: made by `tools/check-man BIN --completions`, and checked by the tests.

_cipherway() {
  local current=${COMP_WORDS[COMP_CWORD]} command="" word
  COMPREPLY=()
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$command:$word" in
      *:-*) ;;
      ':authority') command='authority' ;;
      'authority:init') command='authority init' ;;
      'authority:issue') command='authority issue' ;;
      'authority:bundle') command='authority bundle' ;;
      'authority:list') command='authority list' ;;
      ':check') command='check' ;;
      ':gateway') command='gateway' ;;
      ':quickstart') command='quickstart' ;;
      ':run') command='run' ;;
      ':status') command='status' ;;
    esac
  done
  case "$command" in
    '') mapfile -t COMPREPLY < <(compgen -W 'authority check gateway quickstart run status --help' -- "$current") ;;
    'authority') mapfile -t COMPREPLY < <(compgen -W 'init issue bundle list --help' -- "$current") ;;
    'authority init') mapfile -t COMPREPLY < <(compgen -W '--dir --json --key --keys --permit-dns --permit-ip --trust-domain --help' -- "$current") ;;
    'authority issue') mapfile -t COMPREPLY < <(compgen -W '--csr --dir --force --json --key --lifetime --name --out --usage --help' -- "$current") ;;
    'authority bundle') mapfile -t COMPREPLY < <(compgen -W '--dir --help' -- "$current") ;;
    'authority list') mapfile -t COMPREPLY < <(compgen -W '--dir --json --help' -- "$current") ;;
    'check') mapfile -t COMPREPLY < <(compgen -W '--files --json --help' -- "$current") ;;
    'gateway') mapfile -t COMPREPLY < <(compgen -W '--allow-all --allow-any --allow-dns --allow-uri --balance --cacert --cert --client --connect-timeout --disable-authentication --handshake-timeout --idle-timeout --key --listen --log --log-level --no-client-auth --override-server-name --print-config --proxy-protocol --server-name --shutdown-timeout --state --status --target --unsafe-listen --unsafe-target --user --verify-dns --verify-uri --workers --help' -- "$current") ;;
    'quickstart') mapfile -t COMPREPLY < <(compgen -W '--json --help' -- "$current") ;;
    'run') mapfile -t COMPREPLY < <(compgen -W '--log --log-level --help' -- "$current") ;;
    'status') mapfile -t COMPREPLY < <(compgen -W '--exposure --json --state --help' -- "$current") ;;
  esac
}
complete -o default -F _cipherway cipherway
