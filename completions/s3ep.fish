# fish completion for s3ep, generated from its command tree: `s3ep completion fish`

# Prints the command on the line so far, such as "mp-upload list", then how many arguments it has been given.
function __s3ep_place
    set -l path
    set -l arguments 0
    set -l pending no
    set -l tokens (commandline -opc)
    for token in $tokens[2..-1]
        if test $pending = yes
            set pending no
            continue
        end
        switch $token
            case --profile --config --endpoint --region --service --kek --kek-file --kek-fd --recipient --kms-key --identity --key-passphrase-file --key-passphrase-fd --passphrase-file --passphrase-fd --color --expected-size --include --exclude --symlinks --part-size --chunk-size --concurrency --checksum --if-none-match --storage-class --sse-c-key-file --content-type --cache-control --content-disposition --content-encoding --content-language --metadata --tag --acl --sse --sse-kms-key-id --object-lock-mode --object-lock-retain-until --range --version-id --older-than
                set pending yes
            case '-*'
                continue
            case '*'
                if test $arguments -eq 0; and contains -- (string join ' ' $path $token) 'put' 'get' 'mp-upload' 'mp-upload list' 'mp-upload resume' 'mp-upload abort' 'mp-upload clean' 'ls' 'stat' 'rm' 'verify' 'encrypt' 'decrypt' 'keys' 'keys generate' 'keys list' 'keys show' 'config' 'config explain' 'config path' 'config check' 'completion' 'help'
                    set -a path $token
                else
                    set arguments (math $arguments + 1)
                end
        end
    end
    echo (string join ' ' $path) # a line even if it is empty
    echo $arguments
end

# Whether the command on the line is this one.
function __s3ep_at
    set -l place (__s3ep_place)
    test "$place[1]" = "$argv[1]"
end

# Whether it is, and a subcommand may follow.
function __s3ep_first
    set -l place (__s3ep_place)
    test "$place[1]" = "$argv[1]"; and test $place[2] -eq 0
end

complete -c s3ep -f
complete -c s3ep -n '__s3ep_at \'\'' -l version -d 'print the version'
complete -c s3ep -l profile -r -f -d 'use a profile of the config files, or an AWS profile'
complete -c s3ep -l config -r -F -d 'read this config file instead of the project\'s and the user\'s'
complete -c s3ep -l endpoint -r -f -d 'the service to talk to, if it is not AWS'
complete -c s3ep -l region -r -f -d 'region of the bucket'
complete -c s3ep -l service -r -f -a 'aws r2 b2 minio ceph swift wasabi scaleway gcs generic' -d 'what the service is; found out from the endpoint otherwise'
complete -c s3ep -l path-style -d 'name the bucket in the path of the URL, not in its host'
complete -c s3ep -l no-path-style -d 'name it in the host'
complete -c s3ep -l kek -r -f -d 'name of a KEK to wrap to, instead of the default one; there may be several'
complete -c s3ep -l kek-file -r -F -d 'file with a KEK: 32 bytes raw, in hex or in base64'
complete -c s3ep -l kek-fd -r -f -d 'file descriptor to read a KEK from: 32 bytes raw, in hex or in base64'
complete -c s3ep -l recipient -r -f -d 'public key to wrap to: age1…, the ARN of a KMS key, or a file (PEM, age); may be repeated'
complete -c s3ep -l kms-key -r -f -d 'key of AWS KMS to wrap to and read with; may be repeated'
complete -c s3ep -l identity -r -F -d 'file with a private key to read with: PEM (RSA) or age identities; may be repeated'
complete -c s3ep -l key-passphrase-file -r -F -d 'file with the passphrase that protects keys'
complete -c s3ep -l key-passphrase-fd -r -f -d 'file descriptor to read the passphrase that protects keys from'
complete -c s3ep -l passphrase-file -r -F -d 'file with a passphrase'
complete -c s3ep -l passphrase-fd -r -f -d 'file descriptor to read a passphrase from'
complete -c s3ep -l allow-revoked -d 'let revoked keys open what they wrapped'
complete -c s3ep -s p -l passphrase -d 'ask for a passphrase on the terminal'
complete -c s3ep -l json -d 'print JSON lines'
complete -c s3ep -s q -l quiet -d 'print results and errors only'
complete -c s3ep -s v -l verbose -d 'say more about what is done'
complete -c s3ep -l no-progress -d 'show no progress'
complete -c s3ep -l color -r -f -a 'auto always never' -d 'colour the output'
complete -c s3ep -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_first \'\'' -a put -d 'encrypt and upload files, trees or standard input'
complete -c s3ep -n '__s3ep_first \'\'' -a get -d 'download, verify and decrypt objects'
complete -c s3ep -n '__s3ep_first \'\'' -a mp-upload -d 'upload one file in parts, and deal with unfinished uploads'
complete -c s3ep -n '__s3ep_first \'\'' -a ls -d 'list objects with their plaintext sizes'
complete -c s3ep -n '__s3ep_first \'\'' -a stat -d 'describe objects: format, sizes, recipients, metadata'
complete -c s3ep -n '__s3ep_first \'\'' -a rm -d 'delete objects'
complete -c s3ep -n '__s3ep_first \'\'' -a verify -d 'read objects and check every byte, writing nothing'
complete -c s3ep -n '__s3ep_first \'\'' -a encrypt -d 'encrypt a local file or pipe'
complete -c s3ep -n '__s3ep_first \'\'' -a decrypt -d 'verify and decrypt a local file or pipe'
complete -c s3ep -n '__s3ep_first \'\'' -a keys -d 'make and list the keys of this machine'
complete -c s3ep -n '__s3ep_first \'\'' -a config -d 'see what settings apply and where they come from'
complete -c s3ep -n '__s3ep_first \'\'' -a completion -d 'print a completion script for a shell'
complete -c s3ep -n '__s3ep_first \'\'' -a help -d 'print the help of a command'
complete -c s3ep -n '__s3ep_at \'put\'' -l from-command -d 'run the rest of the line and store what it prints; nothing is stored if it fails'
complete -c s3ep -n '__s3ep_at \'put\'' -l expected-size -r -f -d 'about how much standard input will hold, when it is over 150 GiB'
complete -c s3ep -n '__s3ep_at \'put\'' -l skip-existing -d 'leave alone files whose key is in the bucket already'
complete -c s3ep -n '__s3ep_at \'put\'' -s n -l dry-run -d 'say what would be done, and do nothing'
complete -c s3ep -n '__s3ep_at \'put\'' -s r -l recursive -d 'the whole tree'
complete -c s3ep -n '__s3ep_at \'put\'' -l include -r -f -d 'only these files, a pattern as in .gitignore; may be repeated'
complete -c s3ep -n '__s3ep_at \'put\'' -l exclude -r -f -d 'not these files, a pattern as in .gitignore; may be repeated'
complete -c s3ep -n '__s3ep_at \'put\'' -l symlinks -r -f -a 'skip follow fail' -d 'what to do with symbolic links in a tree'
complete -c s3ep -n '__s3ep_at \'put\'' -l part-size -r -f -d 'bytes of each part; grows when a file needs it (default: 16MiB)'
complete -c s3ep -n '__s3ep_at \'put\'' -l chunk-size -r -f -d 'bytes that are authenticated together (default: 64KiB)'
complete -c s3ep -n '__s3ep_at \'put\'' -l concurrency -r -f -d 'requests in flight at once; chosen from the part size otherwise'
complete -c s3ep -n '__s3ep_at \'put\'' -l checksum -r -f -a 'auto crc32 crc64nvme sha256 none' -d 'how the service checks what it receives'
complete -c s3ep -n '__s3ep_at \'put\'' -l accelerate -d 'use S3 Transfer Acceleration'
complete -c s3ep -n '__s3ep_at \'put\'' -l requester-pays -d 'agree to be charged for requests to buckets of others'
complete -c s3ep -n '__s3ep_at \'put\'' -l no-clobber -d 'fail with status 8 if the object exists'
complete -c s3ep -n '__s3ep_at \'put\'' -l if-none-match -r -f -a '\\*' -d 'the same, in S3\'s words'
complete -c s3ep -n '__s3ep_at \'put\'' -l storage-class -r -f -d 'storage class of what is uploaded'
complete -c s3ep -n '__s3ep_at \'put\'' -l sse-c-key-file -r -F -d 'key of server-side encryption (SSE-C): 32 bytes raw, in hex or in base64'
complete -c s3ep -n '__s3ep_at \'put\'' -l content-type -r -f -d 'media type the store shows'
complete -c s3ep -n '__s3ep_at \'put\'' -l cache-control -r -f -d 'Cache-Control header'
complete -c s3ep -n '__s3ep_at \'put\'' -l content-disposition -r -f -d 'Content-Disposition header'
complete -c s3ep -n '__s3ep_at \'put\'' -l content-encoding -r -f -d 'Content-Encoding header'
complete -c s3ep -n '__s3ep_at \'put\'' -l content-language -r -f -d 'Content-Language header'
complete -c s3ep -n '__s3ep_at \'put\'' -l metadata -r -f -d 'user metadata; may be repeated'
complete -c s3ep -n '__s3ep_at \'put\'' -l tag -r -f -d 'object tag; may be repeated'
complete -c s3ep -n '__s3ep_at \'put\'' -l acl -r -f -d 'canned ACL, such as bucket-owner-full-control'
complete -c s3ep -n '__s3ep_at \'put\'' -l sse -r -f -a 'AES256 aws:kms' -d 'server-side encryption on top of ours'
complete -c s3ep -n '__s3ep_at \'put\'' -l sse-kms-key-id -r -f -d 'key of the store\'s KMS; implies --sse aws:kms'
complete -c s3ep -n '__s3ep_at \'put\'' -l object-lock-mode -r -f -a 'GOVERNANCE COMPLIANCE' -d 'Object Lock retention mode'
complete -c s3ep -n '__s3ep_at \'put\'' -l object-lock-retain-until -r -f -d 'ISO 8601 time until which it cannot be deleted'
complete -c s3ep -n '__s3ep_at \'put\'' -l legal-hold -d 'put the object under legal hold'
complete -c s3ep -n '__s3ep_at \'put\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_at \'put\'' -F
complete -c s3ep -n '__s3ep_at \'get\'' -l range -r -f -d 'only these bytes of the plaintext: FIRST-LAST, FIRST- or -COUNT, as in HTTP'
complete -c s3ep -n '__s3ep_at \'get\'' -l no-clobber -d 'fail with status 8 if the file exists, instead of replacing it'
complete -c s3ep -n '__s3ep_at \'get\'' -l skip-existing -d 'leave alone files that exist'
complete -c s3ep -n '__s3ep_at \'get\'' -l no-preserve -d 'do not restore the time and mode of the original'
complete -c s3ep -n '__s3ep_at \'get\'' -l version-id -r -f -d 'this version of the object'
complete -c s3ep -n '__s3ep_at \'get\'' -s n -l dry-run -d 'say what would be done, and do nothing'
complete -c s3ep -n '__s3ep_at \'get\'' -s r -l recursive -d 'the whole tree'
complete -c s3ep -n '__s3ep_at \'get\'' -l include -r -f -d 'only these files, a pattern as in .gitignore; may be repeated'
complete -c s3ep -n '__s3ep_at \'get\'' -l exclude -r -f -d 'not these files, a pattern as in .gitignore; may be repeated'
complete -c s3ep -n '__s3ep_at \'get\'' -l concurrency -r -f -d 'requests in flight at once; chosen from the part size otherwise'
complete -c s3ep -n '__s3ep_at \'get\'' -l requester-pays -d 'agree to be charged for requests to buckets of others'
complete -c s3ep -n '__s3ep_at \'get\'' -l sse-c-key-file -r -F -d 'key of server-side encryption (SSE-C): 32 bytes raw, in hex or in base64'
complete -c s3ep -n '__s3ep_at \'get\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_at \'get\'' -F
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -s n -l dry-run -d 'say what would be done, and do nothing'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l part-size -r -f -d 'bytes of each part; grows when a file needs it (default: 16MiB)'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l chunk-size -r -f -d 'bytes that are authenticated together (default: 64KiB)'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l concurrency -r -f -d 'requests in flight at once; chosen from the part size otherwise'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l checksum -r -f -a 'auto crc32 crc64nvme sha256 none' -d 'how the service checks what it receives'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l accelerate -d 'use S3 Transfer Acceleration'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l requester-pays -d 'agree to be charged for requests to buckets of others'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l no-clobber -d 'fail with status 8 if the object exists'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l if-none-match -r -f -a '\\*' -d 'the same, in S3\'s words'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l storage-class -r -f -d 'storage class of what is uploaded'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l sse-c-key-file -r -F -d 'key of server-side encryption (SSE-C): 32 bytes raw, in hex or in base64'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l content-type -r -f -d 'media type the store shows'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l cache-control -r -f -d 'Cache-Control header'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l content-disposition -r -f -d 'Content-Disposition header'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l content-encoding -r -f -d 'Content-Encoding header'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l content-language -r -f -d 'Content-Language header'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l metadata -r -f -d 'user metadata; may be repeated'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l tag -r -f -d 'object tag; may be repeated'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l acl -r -f -d 'canned ACL, such as bucket-owner-full-control'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l sse -r -f -a 'AES256 aws:kms' -d 'server-side encryption on top of ours'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l sse-kms-key-id -r -f -d 'key of the store\'s KMS; implies --sse aws:kms'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l object-lock-mode -r -f -a 'GOVERNANCE COMPLIANCE' -d 'Object Lock retention mode'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l object-lock-retain-until -r -f -d 'ISO 8601 time until which it cannot be deleted'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l legal-hold -d 'put the object under legal hold'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -l no-resume -d 'start over, even if an earlier upload can go on'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_first \'mp-upload\'' -a list -d 'list unfinished uploads'
complete -c s3ep -n '__s3ep_first \'mp-upload\'' -a resume -d 'go on with unfinished uploads of this machine, where they stopped'
complete -c s3ep -n '__s3ep_first \'mp-upload\'' -a abort -d 'give up uploads'
complete -c s3ep -n '__s3ep_first \'mp-upload\'' -a clean -d 'abort the unfinished uploads that are older than AGE'
complete -c s3ep -n '__s3ep_at \'mp-upload\'' -F
complete -c s3ep -n '__s3ep_at \'mp-upload list\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_at \'mp-upload resume\'' -l all -d 'every upload this machine has a journal of'
complete -c s3ep -n '__s3ep_at \'mp-upload resume\'' -s n -l dry-run -d 'say what would be done, and do nothing'
complete -c s3ep -n '__s3ep_at \'mp-upload resume\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_at \'mp-upload abort\'' -s n -l dry-run -d 'say what would be done, and do nothing'
complete -c s3ep -n '__s3ep_at \'mp-upload abort\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_at \'mp-upload clean\'' -l older-than -r -f -d 'such as 7d or 12h'
complete -c s3ep -n '__s3ep_at \'mp-upload clean\'' -s n -l dry-run -d 'say what would be done, and do nothing'
complete -c s3ep -n '__s3ep_at \'mp-upload clean\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_at \'ls\'' -s r -l recursive -d 'all levels'
complete -c s3ep -n '__s3ep_at \'ls\'' -l stored-sizes -d 'show how large the objects are in the store'
complete -c s3ep -n '__s3ep_at \'ls\'' -l concurrency -r -f -d 'requests in flight at once; chosen from the part size otherwise'
complete -c s3ep -n '__s3ep_at \'ls\'' -l requester-pays -d 'agree to be charged for requests to buckets of others'
complete -c s3ep -n '__s3ep_at \'ls\'' -l sse-c-key-file -r -F -d 'key of server-side encryption (SSE-C): 32 bytes raw, in hex or in base64'
complete -c s3ep -n '__s3ep_at \'ls\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_at \'stat\'' -l version-id -r -f -d 'this version of the object'
complete -c s3ep -n '__s3ep_at \'stat\'' -l requester-pays -d 'agree to be charged for requests to buckets of others'
complete -c s3ep -n '__s3ep_at \'stat\'' -l sse-c-key-file -r -F -d 'key of server-side encryption (SSE-C): 32 bytes raw, in hex or in base64'
complete -c s3ep -n '__s3ep_at \'stat\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_at \'rm\'' -s r -l recursive -d 'everything under the prefix'
complete -c s3ep -n '__s3ep_at \'rm\'' -l bypass-governance -d 'delete in spite of a retention in GOVERNANCE mode'
complete -c s3ep -n '__s3ep_at \'rm\'' -l version-id -r -f -d 'this version of the object'
complete -c s3ep -n '__s3ep_at \'rm\'' -s n -l dry-run -d 'say what would be done, and do nothing'
complete -c s3ep -n '__s3ep_at \'rm\'' -l requester-pays -d 'agree to be charged for requests to buckets of others'
complete -c s3ep -n '__s3ep_at \'rm\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_at \'verify\'' -s r -l recursive -d 'everything under the prefix'
complete -c s3ep -n '__s3ep_at \'verify\'' -l version-id -r -f -d 'this version of the object'
complete -c s3ep -n '__s3ep_at \'verify\'' -l concurrency -r -f -d 'requests in flight at once; chosen from the part size otherwise'
complete -c s3ep -n '__s3ep_at \'verify\'' -l requester-pays -d 'agree to be charged for requests to buckets of others'
complete -c s3ep -n '__s3ep_at \'verify\'' -l sse-c-key-file -r -F -d 'key of server-side encryption (SSE-C): 32 bytes raw, in hex or in base64'
complete -c s3ep -n '__s3ep_at \'verify\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_at \'encrypt\'' -l no-clobber -d 'fail with status 8 if the file exists, instead of replacing it'
complete -c s3ep -n '__s3ep_at \'encrypt\'' -s n -l dry-run -d 'say what would be done, and do nothing'
complete -c s3ep -n '__s3ep_at \'encrypt\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_at \'encrypt\'' -F
complete -c s3ep -n '__s3ep_at \'decrypt\'' -l no-clobber -d 'fail with status 8 if the file exists, instead of replacing it'
complete -c s3ep -n '__s3ep_at \'decrypt\'' -s n -l dry-run -d 'say what would be done, and do nothing'
complete -c s3ep -n '__s3ep_at \'decrypt\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_at \'decrypt\'' -F
complete -c s3ep -n '__s3ep_at \'keys\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_first \'keys\'' -a generate -d 'make a new random KEK and keep it in the keys directory, readable by you alone'
complete -c s3ep -n '__s3ep_first \'keys\'' -a list -d 'list the KEKs at hand, with their ids'
complete -c s3ep -n '__s3ep_first \'keys\'' -a show -d 'describe one KEK'
complete -c s3ep -n '__s3ep_at \'keys generate\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_at \'keys list\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_at \'keys show\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_at \'config\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_first \'config\'' -a explain -d 'print every setting, its value (secrets masked) and where it came from'
complete -c s3ep -n '__s3ep_first \'config\'' -a path -d 'print where config files, keys and the state of transfers are kept'
complete -c s3ep -n '__s3ep_first \'config\'' -a check -d 'check the settings and that the keys and directories they name can be used'
complete -c s3ep -n '__s3ep_at \'config explain\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_at \'config path\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_at \'config check\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_at \'completion\'' -s h -l help -d 'print help'
complete -c s3ep -n '__s3ep_at \'completion\'' -f -a 'bash zsh fish'
complete -c s3ep -n '__s3ep_at \'help\'' -s h -l help -d 'display help for command'
