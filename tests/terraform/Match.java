import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.TreeSet;
import software.amazon.event.ruler.Machine;

/** Reads {"patterns": {name: pattern}, "events": {name: event}}, writes {event: [names of the patterns it matches]}. */
public final class Match {
    public static void main(String[] arguments) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        JsonNode input = mapper.readTree(System.in);
        Machine machine = new Machine();
        var answer = mapper.createObjectNode();

        for (var patterns = input.get("patterns").fields(); patterns.hasNext();) {
            var pattern = patterns.next();
            machine.addRule(pattern.getKey(), pattern.getValue().toString());
        }
        for (var events = input.get("events").fields(); events.hasNext();) {
            var event = events.next();
            var names = answer.putArray(event.getKey());
            new TreeSet<>(machine.rulesForJSONEvent(event.getValue().toString())).forEach(names::add);
        }
        mapper.writeValue(System.out, answer);
    }
}
