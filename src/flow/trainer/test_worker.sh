#!/bin/bash
# A worker program for trainer_test.c: reads one work line, behaves as the id of its job says.
read -r work
get() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" <<<"$work"; }
job=$(get job_id); dir=$(get work_dir)
say() { printf '%s\n' "$1"; }
sha() { sha256sum "$1" | cut -c1-64; }
echo $$ > $dir/../$job.pid
started() { say '{"kind":"started","epochs":2,"message":"on a shell"}'; }
checkpoint() { [ $2 ] || { printf "weights $1" > $dir/w$1; printf "state $1" > $dir/s$1; }
  [ $2 ] || line="{\"kind\":\"checkpoint\",\"checkpoint\":{\"epoch\":$1,\"is_best\":true,\"is_last\":true,\"metric\":\"accuracy\",\"value\":0.5,\"weights_path\":\"$dir/w$1\",\"weights_sha256\":\"$(sha $dir/w$1)\",\"state_path\":\"$dir/s$1\",\"state_sha256\":\"$(sha $dir/s$1)\"}}"; say "$line"; }
epoch() { printf '{"epoch":%d}\n' $1 > $dir/v$1
  say "{\"kind\":\"epoch\",\"epoch\":$1,\"epochs\":2,\"progress\":0.5,\"metrics\":{\"train/loss\":0.$1},\"validation\":{\"epoch\":$1,\"split\":\"val\",\"path\":\"$dir/v$1\",\"sha256\":\"$(sha $dir/v$1)\"}}"; }
progress() { say "{\"kind\":\"progress\",\"epoch\":1,\"epochs\":2,\"step\":$1,\"steps\":1000,\"metrics\":{\"train/loss\":1}}"; }
completed() { say '{"kind":"completed","epoch":2,"progress":1,"best":{"epoch":2,"metric":"accuracy","value":0.5}}'; }
case $job in
good*) started; progress 1; epoch 1; checkpoint 1; epoch 2; checkpoint 2; checkpoint 2 again; completed;;
look*) cp -r $(get blobs_dir) $dir/../seen; cp $(get manifest_path) $dir/../seen.manifest
  printf '%s' "$work" > $dir/../seen.work; started; completed;;
wait*) started; exec sleep 60;;
child*) started; sleep 60 & sleep 60;;
stubborn*) trap '' TERM; started; while :; do read -t 1 <> <(:); done;;
garbage*) started; say 'epoch 1 loss 0.3'; exec sleep 60;;
unknown*) started; say '{"kind":"epoch","colour":1}'; exec sleep 60;;
long*) started; head -c 3000000 /dev/zero | tr '\0' a; exec sleep 60;;
killed*) started; echo 'about to go' >&2; kill -9 $$;;
exit*) started; echo 'cannot open libthing' >&2; exit 3;;
quiet*) exec sleep 60;;
chatty*) started; for i in $(seq 1 20000); do echo "line $i of standard error" >&2; done; completed;;
fast*) started; for i in $(seq 1 2000); do progress $i; done; exec sleep 60;;
liar*) started; echo x > $dir/w; say "{\"kind\":\"checkpoint\",\"checkpoint\":{\"epoch\":1,\"weights_path\":\"$dir/w\",\"weights_sha256\":\"$(printf '%064d' 1)\"}}"; exec sleep 60;;
outside*) started; say "{\"kind\":\"checkpoint\",\"checkpoint\":{\"epoch\":1,\"weights_path\":\"/etc/passwd\",\"weights_sha256\":\"$(sha /etc/passwd)\"}}"; exec sleep 60;;
failed*) started; say '{"kind":"failed","error_code":"diverged","error":"the loss is not finite"}'; exit 1;;
esac
