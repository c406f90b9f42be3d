# Completion of cipherway for fish: made by `tools/check-man BIN --completions`, and checked by the tests.
complete -c cipherway -f -n 'not __fish_seen_subcommand_from authority check gateway quickstart run status' -a 'authority check gateway quickstart run status'
complete -c cipherway -n 'not __fish_seen_subcommand_from authority check gateway quickstart run status' -l help
complete -c cipherway -f -n '__fish_seen_subcommand_from authority; and not __fish_seen_subcommand_from init issue bundle list' -a 'init issue bundle list'
complete -c cipherway -n '__fish_seen_subcommand_from authority; and not __fish_seen_subcommand_from init issue bundle list' -l help
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from init' -l dir
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from init' -l json
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from init' -l key
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from init' -l keys
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from init' -l permit-dns
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from init' -l permit-ip
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from init' -l trust-domain
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from init' -l help
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from issue' -l csr
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from issue' -l dir
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from issue' -l force
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from issue' -l json
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from issue' -l key
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from issue' -l lifetime
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from issue' -l name
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from issue' -l out
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from issue' -l usage
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from issue' -l help
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from bundle' -l dir
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from bundle' -l help
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from list' -l dir
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from list' -l json
complete -c cipherway -n '__fish_seen_subcommand_from authority; and __fish_seen_subcommand_from list' -l help
complete -c cipherway -n '__fish_seen_subcommand_from check' -l files
complete -c cipherway -n '__fish_seen_subcommand_from check' -l json
complete -c cipherway -n '__fish_seen_subcommand_from check' -l help
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l allow-all
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l allow-any
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l allow-dns
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l allow-uri
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l balance
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l cacert
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l cert
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l client
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l connect-timeout
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l disable-authentication
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l handshake-timeout
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l idle-timeout
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l key
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l listen
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l log
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l log-level
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l no-client-auth
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l override-server-name
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l print-config
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l proxy-protocol
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l server-name
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l shutdown-timeout
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l state
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l status
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l target
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l unsafe-listen
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l unsafe-target
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l user
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l verify-dns
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l verify-uri
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l workers
complete -c cipherway -n '__fish_seen_subcommand_from gateway' -l help
complete -c cipherway -n '__fish_seen_subcommand_from quickstart' -l json
complete -c cipherway -n '__fish_seen_subcommand_from quickstart' -l help
complete -c cipherway -n '__fish_seen_subcommand_from run' -l log
complete -c cipherway -n '__fish_seen_subcommand_from run' -l log-level
complete -c cipherway -n '__fish_seen_subcommand_from run' -l help
complete -c cipherway -n '__fish_seen_subcommand_from status' -l exposure
complete -c cipherway -n '__fish_seen_subcommand_from status' -l json
complete -c cipherway -n '__fish_seen_subcommand_from status' -l state
complete -c cipherway -n '__fish_seen_subcommand_from status' -l help
