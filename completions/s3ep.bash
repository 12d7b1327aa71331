# bash completion for s3ep, generated from its command tree: `s3ep completion bash`

# The command on the line so far, from its words: what follows "s3ep" and is a command, such as "mp-upload list".
_s3ep_subcommand() {
  case "$1 $2" in
    ' put' | \
    ' get' | \
    ' mp-upload' | \
    ' mp-upload list' | \
    ' mp-upload resume' | \
    ' mp-upload abort' | \
    ' mp-upload clean' | \
    ' ls' | \
    ' stat' | \
    ' rm' | \
    ' verify' | \
    ' rotate-key' | \
    ' migrate' | \
    ' encrypt' | \
    ' decrypt' | \
    ' keys' | \
    ' keys generate' | \
    ' keys list' | \
    ' keys show' | \
    ' keys import' | \
    ' keys export' | \
    ' keys recipients' | \
    ' keys retire' | \
    ' keys revoke' | \
    ' keys activate' | \
    ' keys remove' | \
    ' keyring' | \
    ' keyring init' | \
    ' keyring show' | \
    ' keyring add' | \
    ' keyring remove' | \
    ' keyring epoch' | \
    ' keyring trust' | \
    ' config' | \
    ' config explain' | \
    ' config path' | \
    ' config check' | \
    ' completion' | \
    ' help') return 0 ;;
  esac
  return 1
}

# What the value of an option may be, in reply: words, or @file, @directory, @nothing. Fails if it takes none.
_s3ep_value_of() {
  case "$1 $2" in
    *' --profile' | *' --endpoint' | *' --region' | *' --kek' | *' --kek-fd' | *' --recipient' | *' --kms-key' | *' --key-passphrase-fd' | *' --passphrase-fd') reply='@nothing' ;;
    *' --config' | *' --kek-file' | *' --identity' | *' --key-passphrase-file' | *' --passphrase-file' | *' --proxy-config') reply='@file' ;;
    *' --service') reply='aws r2 b2 minio ceph swift wasabi scaleway gcs generic' ;;
    *' --color') reply='auto always never' ;;
    ' put'' --expected-size' | ' put'' --include' | ' put'' --exclude' | ' put'' --part-size' | ' put'' --chunk-size' | ' put'' --concurrency' | ' put'' --storage-class' | ' put'' --content-type' | ' put'' --cache-control' | ' put'' --content-disposition' | ' put'' --content-encoding' | ' put'' --content-language' | ' put'' --metadata' | ' put'' --tag' | ' put'' --acl' | ' put'' --sse-kms-key-id' | ' put'' --object-lock-retain-until') reply='@nothing' ;;
    ' put'' --format') reply='agcm2 s3-encryption-proxy' ;;
    ' put'' --symlinks') reply='skip follow fail' ;;
    ' put'' --checksum') reply='auto crc32 crc64nvme sha256 none' ;;
    ' put'' --if-none-match') reply='\*' ;;
    ' put'' --sse-c-key-file') reply='@file' ;;
    ' put'' --sse') reply='AES256 aws:kms' ;;
    ' put'' --object-lock-mode') reply='GOVERNANCE COMPLIANCE' ;;
    ' get'' --range' | ' get'' --version-id' | ' get'' --include' | ' get'' --exclude' | ' get'' --expect-bytes' | ' get'' --expect-sha256' | ' get'' --concurrency') reply='@nothing' ;;
    ' get'' --sse-c-key-file') reply='@file' ;;
    ' mp-upload'' --part-size' | ' mp-upload'' --chunk-size' | ' mp-upload'' --concurrency' | ' mp-upload'' --storage-class' | ' mp-upload'' --content-type' | ' mp-upload'' --cache-control' | ' mp-upload'' --content-disposition' | ' mp-upload'' --content-encoding' | ' mp-upload'' --content-language' | ' mp-upload'' --metadata' | ' mp-upload'' --tag' | ' mp-upload'' --acl' | ' mp-upload'' --sse-kms-key-id' | ' mp-upload'' --object-lock-retain-until') reply='@nothing' ;;
    ' mp-upload'' --checksum') reply='auto crc32 crc64nvme sha256 none' ;;
    ' mp-upload'' --if-none-match') reply='\*' ;;
    ' mp-upload'' --sse-c-key-file') reply='@file' ;;
    ' mp-upload'' --sse') reply='AES256 aws:kms' ;;
    ' mp-upload'' --object-lock-mode') reply='GOVERNANCE COMPLIANCE' ;;
    ' mp-upload clean'' --older-than') reply='@nothing' ;;
    ' ls'' --concurrency') reply='@nothing' ;;
    ' ls'' --sse-c-key-file') reply='@file' ;;
    ' stat'' --version-id') reply='@nothing' ;;
    ' stat'' --sse-c-key-file') reply='@file' ;;
    ' rm'' --version-id') reply='@nothing' ;;
    ' verify'' --version-id' | ' verify'' --concurrency' | ' verify'' --expect-bytes' | ' verify'' --expect-sha256') reply='@nothing' ;;
    ' verify'' --sse-c-key-file') reply='@file' ;;
    ' rotate-key'' --to' | ' rotate-key'' --from' | ' rotate-key'' --shard' | ' rotate-key'' --merge' | ' rotate-key'' --concurrency') reply='@nothing' ;;
    ' rotate-key'' --sse-c-key-file') reply='@file' ;;
    ' migrate'' --include' | ' migrate'' --exclude' | ' migrate'' --expect-bytes' | ' migrate'' --expect-sha256' | ' migrate'' --part-size' | ' migrate'' --chunk-size' | ' migrate'' --concurrency' | ' migrate'' --storage-class') reply='@nothing' ;;
    ' migrate'' --checksum') reply='auto crc32 crc64nvme sha256 none' ;;
    ' migrate'' --sse-c-key-file') reply='@file' ;;
    ' decrypt'' --object-metadata' | ' decrypt'' --aad-file') reply='@file' ;;
    ' decrypt'' --object-key' | ' decrypt'' --expect-bytes' | ' decrypt'' --expect-sha256' | ' decrypt'' --aad') reply='@nothing' ;;
    ' keys generate'' --kind') reply='aes rsa age age-pq' ;;
    ' keys import'' --derive') reply='argon2id pbkdf2-sha256 hkdf-sha256' ;;
    ' keys import'' --salt' | ' keys import'' --argon2' | ' keys import'' --iterations' | ' keys import'' --info') reply='@nothing' ;;
    ' keyring add'' --name') reply='@nothing' ;;
    ' keyring epoch'' --retire' | ' keyring epoch'' --revoke') reply='@nothing' ;;
    *) return 1 ;;
  esac
}

# What may stand at a place of a command: its options, its subcommands, and what its arguments are.
_s3ep_offer_of() {
  case "$1" in
    '')
      options='--version --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color -h --help'
      subcommands='put get mp-upload ls stat rm verify rotate-key migrate encrypt decrypt keys keyring config completion help'
      arguments='@nothing'
      ;;
    ' put')
      options='--from-command --expected-size --skip-existing --format -n --dry-run -r --recursive --include --exclude --symlinks --part-size --chunk-size --concurrency --checksum --accelerate --requester-pays --no-clobber --if-none-match --storage-class --sse-c-key-file --content-type --cache-control --content-disposition --content-encoding --content-language --metadata --tag --acl --sse --sse-kms-key-id --object-lock-mode --object-lock-retain-until --legal-hold -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@file'
      ;;
    ' get')
      options='--range --no-clobber --skip-existing --no-preserve --version-id -n --dry-run -r --recursive --include --exclude --plaintext --allow-unauthenticated --expect-bytes --expect-sha256 --concurrency --requester-pays --sse-c-key-file -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@file'
      ;;
    ' mp-upload')
      options='-n --dry-run --part-size --chunk-size --concurrency --checksum --accelerate --requester-pays --no-clobber --if-none-match --storage-class --sse-c-key-file --content-type --cache-control --content-disposition --content-encoding --content-language --metadata --tag --acl --sse --sse-kms-key-id --object-lock-mode --object-lock-retain-until --legal-hold --no-resume -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands='list resume abort clean'
      arguments='@file'
      ;;
    ' mp-upload list')
      options='-h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' mp-upload resume')
      options='--all -n --dry-run -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' mp-upload abort')
      options='-n --dry-run -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' mp-upload clean')
      options='--older-than -n --dry-run -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' ls')
      options='-r --recursive --stored-sizes --concurrency --requester-pays --sse-c-key-file -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' stat')
      options='--version-id --requester-pays --sse-c-key-file -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' rm')
      options='-r --recursive --reserved --bypass-governance --version-id -n --dry-run --requester-pays -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' verify')
      options='-r --recursive --version-id --concurrency --expect-bytes --expect-sha256 --requester-pays --sse-c-key-file -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' rotate-key')
      options='-r --recursive --to --from --new-epoch --reencrypt --no-acl --plan --prove --purge-old-versions --bypass-governance --shard --merge -y --yes -n --dry-run --concurrency --requester-pays --sse-c-key-file -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' migrate')
      options='--in-place --plan -n --dry-run -r --recursive --include --exclude --plaintext --allow-unauthenticated --expect-bytes --expect-sha256 --part-size --chunk-size --concurrency --checksum --requester-pays --storage-class --sse-c-key-file -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@file'
      ;;
    ' encrypt')
      options='--no-clobber -n --dry-run -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@file'
      ;;
    ' decrypt')
      options='--no-clobber -n --dry-run --plaintext --allow-unauthenticated --object-metadata --object-key --expect-bytes --expect-sha256 --sealed-value --aad --aad-file -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@file'
      ;;
    ' keys')
      options='-h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands='generate list show import export recipients retire revoke activate remove'
      arguments='@nothing'
      ;;
    ' keys generate')
      options='--kind --keychain --protect -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' keys list')
      options='-h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' keys show')
      options='-h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' keys import')
      options='--paper --keychain --protect --derive --salt --argon2 --iterations --info -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@file'
      ;;
    ' keys export')
      options='--reveal --paper --public -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' keys recipients')
      options='-h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' keys retire')
      options='-n --dry-run -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' keys revoke')
      options='-n --dry-run -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' keys activate')
      options='-n --dry-run -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' keys remove')
      options='--force -n --dry-run -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' keyring')
      options='-h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands='init show add remove epoch trust'
      arguments='@nothing'
      ;;
    ' keyring init')
      options='-y --yes -n --dry-run --requester-pays -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' keyring show')
      options='--requester-pays -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' keyring add')
      options='--name -y --yes -n --dry-run --requester-pays -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' keyring remove')
      options='--new-epoch --no-new-epoch -y --yes -n --dry-run --requester-pays -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' keyring epoch')
      options='--retire --revoke -y --yes -n --dry-run --requester-pays -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' keyring trust')
      options='-y --yes -n --dry-run --requester-pays -h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' config')
      options='-h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands='explain path check'
      arguments='@nothing'
      ;;
    ' config explain')
      options='-h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' config path')
      options='-h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' config check')
      options='-h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
    ' completion')
      options='-h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='bash zsh fish'
      ;;
    ' help')
      options='-h --help --profile --config --endpoint --region --service --path-style --no-path-style --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --proxy-config --allow-revoked --no-keyring -p --passphrase --json -q --quiet -v --verbose --no-progress --color'
      subcommands=''
      arguments='@nothing'
      ;;
  esac
}

_s3ep() {
  # Bash splits words at = and : too; put them together again.
  local words=() word joining= index
  for ((index = 0; index <= COMP_CWORD; index++)); do
    word=${COMP_WORDS[index]}
    if [[ -n $joining || $word == [=:]* ]] && ((${#words[@]} > 1)); then
      words[${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
    joining=
    [[ $word == *[=:] ]] && joining=yes
  done
  local last=$((${#words[@]} - 1))
  local current=${words[last]}

  local path="" reply options subcommands arguments positionals=0 onlyarguments= pending=
  for ((index = 1; index < last; index++)); do
    word=${words[index]}
    if [[ -n $pending ]]; then
      pending=
    elif [[ -n $onlyarguments ]]; then
      positionals=$((positionals + 1))
    elif [[ $word == -- ]]; then
      onlyarguments=yes
    elif [[ $word == -*=* ]]; then
      :
    elif [[ $word == -?* ]]; then
      if _s3ep_value_of "$path" "$word"; then pending=$word; fi
    elif ((positionals == 0)) && _s3ep_subcommand "$path" "$word"; then
      path="$path $word"
    else
      positionals=$((positionals + 1))
    fi
  done

  COMPREPLY=()
  if [[ -n $pending ]]; then
    _s3ep_value_of "$path" "$pending"
    _s3ep_reply "$reply" "$current"
  elif [[ -z $onlyarguments && $current == --*=* ]]; then
    if _s3ep_value_of "$path" "${current%%=*}"; then _s3ep_reply "$reply" "${current#*=}"; fi
  else
    _s3ep_offer_of "$path"
    if [[ -z $onlyarguments && $current == -* ]]; then
      _s3ep_reply "$options" "$current"
    else
      ((positionals == 0)) && [[ -n $subcommands ]] && _s3ep_reply "$subcommands" "$current"
      _s3ep_reply "$arguments" "$current"
    fi
  fi
}

# Adds what fits to COMPREPLY, without what bash takes for a word before it.
_s3ep_reply() {
  local before=${2%"${2##*[=:]}"} line flag=
  case $1 in
    @nothing | "") return ;;
    @file) flag=-f ;;
    @directory) flag=-d ;;
  esac
  if [[ -n $flag ]]; then
    [[ $2 == s3:* ]] && return
    compopt -o filenames 2>/dev/null
    while IFS= read -r line; do COMPREPLY+=("${line#"$before"}"); done < <(compgen "$flag" -- "$2")
  else
    while IFS= read -r line; do COMPREPLY+=("${line#"$before"}"); done < <(compgen -W "$1" -- "$2")
  fi
}

complete -F _s3ep s3ep
