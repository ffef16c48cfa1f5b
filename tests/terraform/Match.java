import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.TreeSet;
import software.amazon.event.ruler.Machine;

/**
 * Reads {"patterns": {name: pattern}, "events": {name: event}}, writes {event: [names of the patterns it matches]} on a
 * line; again and again until the input ends.
 */
public final class Match {
    public static void main(String[] arguments) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        MappingIterator<JsonNode> inputs = mapper.readerFor(JsonNode.class).readValues(System.in);

        while (inputs.hasNext())
            System.out.println(match(mapper, inputs.next()));
    }

    private static JsonNode match(ObjectMapper mapper, JsonNode input) throws Exception {
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
        return answer;
    }
}
