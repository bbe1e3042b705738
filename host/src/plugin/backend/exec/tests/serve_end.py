

for line in sys.stdin:
    request = json.loads(line)
    if request["method"] == "describe":
        describe(request)
    else:
        answer(request)
