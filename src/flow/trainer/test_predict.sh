#!/bin/bash
# A predictor program for trainer_test.c: answers with its process number and the bytes it was sent.
while IFS= read -r head; do
  sum=0; names=(); for b in $(grep -o '"bytes":[0-9]*' <<<"$head" | cut -d: -f2); do sum=$((sum + b)); done
  out=''; while read -r n; do out="$out{\"file\":\"$n\",\"predictions\":[{\"class\":\"pid $$\",\"class_id\":$sum,\"confidence\":1}]},"
  done < <(grep -o '"name":"[^"]*"' <<<"$head" | cut -d'"' -f4)
  data=$(head -c $sum | tr -d '\0')
  case $data in *die*) kill -9 $$;; *hang*) sleep 60;; *nonsense*) echo nonsense; continue;; esac
  echo "{\"model\":\"shell\",\"results\":[${out%,}]}"
done
