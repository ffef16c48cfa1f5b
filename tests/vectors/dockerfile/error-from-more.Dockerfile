FROM a AS b # comment
